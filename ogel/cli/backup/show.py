"""`ogel backup show`"""

from __future__ import annotations

import click

from ogel.cli.backup.following import show
from ogel.cli.operator import api, identifier, json_option, say_one


@click.command("show")
@click.argument("id", type=identifier)
@json_option
def command(id: str, as_json: bool) -> None:
    """One backup and how far it is."""
    from ogel.features.backups.backup import Backup

    with api() as ogel:
        answer = ogel.request("GET", f"/api/backups/{id}")
    say_one(answer, as_json, Backup, show)
