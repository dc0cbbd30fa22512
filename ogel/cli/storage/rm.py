"""`ogel storage rm`"""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from ogel.cli.operator import api, json_option, say_json, yes_option
from ogel.cli.progress import Progress
from ogel.cli.storage.places import Place, place
from ogel.cli.storage.remote import PAGE, PREFIX, Remote

if TYPE_CHECKING:
    from ogel.cli.client import Client


@click.command("rm")
@click.argument("places", type=place, nargs=-1, required=True, metavar="BUCKET:NAME...")
@click.option(
    "-r", "--recursive", is_flag=True, help="All whose names begin with NAME; without one, all there are."
)
@click.option("--bucket", "with_bucket", is_flag=True, help="The bucket as well, with all that is in it.")
@yes_option
@json_option
def command(places: tuple[Place, ...], recursive: bool, with_bucket: bool, yes: bool, as_json: bool) -> None:
    """
    Delete objects, or a bucket with all that is in it.

    Nothing brings them back. Exit 1 when one was not there.
    """
    for each in places:
        if with_bucket and each.name:
            raise click.UsageError(f"--bucket takes BUCKET: alone, not {each}")
        if not each.name and not (recursive or with_bucket):
            raise click.UsageError(f"{each} names no object: --recursive takes all that are in it")
    if not yes and (recursive or with_bucket):
        click.confirm(f"delete {' '.join(map(str, places))} and all below for good?", abort=True, err=True)
    with api() as ogel:
        removed, missing = _removed(ogel, places, recursive or with_bucket)
        if with_bucket:
            for each in places:
                ogel.request("DELETE", f"{PREFIX}/bucket/{quote(each.bucket, safe='')}")
    if as_json:
        say_json({"removed": removed, "missing": missing})
    else:
        click.echo(f"{removed} deleted", err=True)
        for name in missing:
            click.echo(f"{name}: there is no such object", err=True)
    sys.exit(1 if missing else 0)


def _removed(ogel: Client, places: tuple[Place, ...], recursive: bool) -> tuple[int, list[str]]:
    """Returns how many there were, and which there were not."""
    remote, removed, missing, progress = Remote(ogel), 0, [], Progress("storage rm")
    for each in places:
        if not recursive:
            gone = remote.remove(each.bucket, [each.name])
            removed += len(gone)
            missing += [] if gone else [str(each)]
            continue
        # Always those that come first now: a listing that goes on would miss none either, but be held for longer.
        while names := [item.name for item in islice(remote.objects(each.bucket, each.name), PAGE)]:
            gone = remote.remove(each.bucket, names)
            removed += len(gone)
            progress.show(removed, None)
            if not gone:
                missing += [f"{each.bucket}:{name}" for name in names]
                break
    progress.end()
    return removed, missing
