"""`ogel storage usage`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.operator import api, json_option, say_one
from ogel.cli.sizes import size
from ogel.cli.tables import Column, Table
from ogel.cli.times import length

if TYPE_CHECKING:
    from ogel.features.storage.usage.service import BucketUsage, StorageUsage

ANOTHER = "nothing of what should be in the store is there: it is another one (STORAGE_BACKEND, OGEL_DATA_DIR, S3_*)"
_BUCKETS: Table[BucketUsage] = Table(
    "no buckets",
    [
        Column("bucket", gives=True),
        Column("objects", right=True),
        Column("size", lambda each: size(each.bytes), right=True),
        Column("quota", lambda each: each.max_bytes and size(each.max_bytes), right=True),
    ],
)


@click.command("usage")
@json_option
def command(as_json: bool) -> None:
    """How much is stored, by bucket, and how much waits to be deleted."""
    from ogel.features.storage.usage.service import StorageUsage

    with api() as ogel:
        answer = ogel.request("GET", "/api/storage/usage")
    say_one(answer, as_json, StorageUsage, _show)


def _show(usage: StorageUsage) -> None:
    _BUCKETS.show(usage.buckets)
    passing = usage.passing
    click.echo(f"{usage.objects} objects, {size(usage.bytes)} in all")
    if passing.pending:
        click.echo(f"{passing.pending} uploads under way, {size(passing.pending_bytes)}")
    if passing.deleting:
        late = f", {length(passing.late_seconds)} late" if passing.late_seconds > 60 else ""
        click.echo(f"{passing.deleting} blobs to be deleted, {size(passing.deleting_bytes)}{late}")
    if usage.store == "another":
        click.echo(ANOTHER, err=True)
    elif usage.store == "away":
        click.echo("the store does not answer", err=True)
