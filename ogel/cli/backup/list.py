"""`ogel backup list`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.backup.following import settings_with_secret
from ogel.cli.operator import (
    after_option,
    api,
    json_option,
    limit_option,
    say_json,
    say_list,
    within_settings,
)
from ogel.cli.sizes import size
from ogel.cli.tables import Column, Table
from ogel.cli.times import relative

if TYPE_CHECKING:
    from ogel.features.backups.backup import Backup
    from ogel.features.backups.feature import BackupFeature, Stored

_TABLE: Table[Backup] = Table(
    "no backups",
    [
        Column("id"),
        Column("status"),
        Column("rows", right=True),
        Column("size", lambda each: size(each.size), right=True),
        Column("created", lambda each: relative(each.created_at)),
        Column("note", lambda each: each.error or each.note, gives=True),
    ],
)
_STORED: Table[Stored] = Table(
    "no backups in the store",
    [
        Column("id"),
        Column("status", lambda each: "complete" if each.manifest else "unusable"),
        Column("rows", lambda each: each.manifest and each.manifest.rows, right=True),
        Column("size", lambda each: each.manifest and size(each.manifest.size), right=True),
        Column("created", lambda each: each.manifest and relative(each.manifest.taken_at)),
        Column("note", lambda each: each.manifest.note if each.manifest else each.error, gives=True),
    ],
)


@click.command("list")
@click.option("--stored", is_flag=True, help="Of the store; needs no database.")
@limit_option
@after_option
@json_option
def command(stored: bool, limit: int, after: str | None, as_json: bool) -> None:
    """All backups, newest first, of the database or of the store."""
    if stored:
        _list_stored(as_json)
        return
    from ogel.features.backups.backup import Backup

    with api() as ogel:
        backups = ogel.listed("/api/backups", limit, after)
    say_list(backups, as_json, Backup, _TABLE.show)


def _list_stored(as_json: bool) -> None:
    from ogel.operators import stored_backups

    async def collected(backups: BackupFeature) -> list[Stored]:
        return [stored async for stored in backups.stored()]

    found = within_settings(settings_with_secret(), stored_backups, collected)[::-1]
    if as_json:
        say_json({"items": [_summary(each) for each in found]})
        return
    _STORED.show(found)


def _summary(stored: Stored) -> dict[str, object]:
    manifest = stored.manifest
    if manifest is None:
        return {"id": stored.id, "status": "unusable", "error": stored.error}
    return {
        "id": stored.id,
        "status": "complete",
        "taken_at": manifest.taken_at,
        "note": manifest.note,
        "ogel": manifest.ogel,
        "schema": manifest.migrations[-1].name if manifest.migrations else None,
        "tables": len(manifest.tables),
        "rows": manifest.rows,
        "size": manifest.size,
    }
