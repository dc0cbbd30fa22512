"""`ogel storage ls`"""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

import click
import msgspec

from ogel.cli.operator import api, json_option, say_json
from ogel.cli.sizes import size
from ogel.cli.storage.places import Place, place
from ogel.cli.storage.remote import Item, Remote
from ogel.cli.tables import Column, Table
from ogel.cli.times import relative

if TYPE_CHECKING:
    from ogel.cli.client import Client


class Bucket(msgspec.Struct):
    """What is shown of one."""

    id: str
    public: bool
    file_size_limit: int | None
    allowed_mime_types: list[str] | None
    created_at: datetime


_BUCKETS: Table[Bucket] = Table(
    "no buckets",
    [
        Column("bucket", lambda each: each.id, gives=True),
        Column("public", lambda each: "yes" if each.public else None),
        Column("largest", lambda each: each.file_size_limit and size(each.file_size_limit), right=True),
        Column("types", lambda each: ", ".join(each.allowed_mime_types or ()) or None, gives=True),
        Column("created", lambda each: relative(each.created_at)),
    ],
)
_OBJECTS: Table[Item] = Table(
    "no objects",
    [
        Column("name", gives=True),
        Column("size", lambda each: size(each.size) if each.id else None, right=True),
        Column("type", lambda each: each.metadata and each.metadata.mimetype, gives=True),
        Column("changed", lambda each: relative(each.updated_at)),
    ],
)


@click.command("ls")
@click.argument("where", type=place, required=False, metavar="[BUCKET:[PREFIX]]")
@click.option("-r", "--recursive", is_flag=True, help="Objects in folders, too.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="How many at most."
)
@json_option
def command(where: Place | None, recursive: bool, limit: int, as_json: bool) -> None:
    """Buckets, or the objects and folders in one whose names begin with PREFIX."""
    with api() as ogel:
        if where is None:
            _show_buckets(ogel, limit, as_json)
            return
        remote = Remote(ogel)
        found = remote.objects(where.bucket, where.name, folders=not recursive)
        items = list(islice(found, limit + 1))
        if not items:  # of a bucket that is not there, a list is empty as well
            remote.check_bucket(where.bucket)
    shown, more = items[:limit], len(items) > limit
    if as_json:
        say_json({"items": shown, "more": more})
        return
    _OBJECTS.show(shown)
    if more:
        click.echo("there are more: --limit", err=True)


def _show_buckets(ogel: Client, limit: int, as_json: bool) -> None:
    buckets = ogel.listed("/api/storage/buckets", limit)
    if as_json:
        say_json({"items": buckets.items, "more": buckets.next is not None})
        return
    _BUCKETS.show(buckets.as_(Bucket))
    if buckets.next is not None:
        click.echo("there are more: --limit", err=True)
