"""`ogel backup create`"""

from __future__ import annotations

import sys

import click

from ogel.cli.backups import run, wait_option
from ogel.cli.operator import json_option, operator


@click.command("create")
@click.option("--note", help="Why, for people; 500 characters at most.")
@wait_option
@json_option
def command(note: str | None, wait: bool, as_json: bool) -> None:
    """
    Have a worker copy all of Ogel's data into the store.

    Exit 0 when it is complete, or was not waited for; 1 when it failed, or another one runs.
    """
    import msgspec

    from ogel.features.backups.backup import NewBackup

    try:
        new = msgspec.convert({} if note is None else {"note": note}, NewBackup)
    except msgspec.ValidationError:
        raise click.UsageError("--note takes 500 characters at most") from None
    backup = run(
        lambda ogel: ogel.backups.service.create(operator(), new),
        lambda backup: backup.status == "running",
        wait,
        as_json,
    )
    sys.exit(1 if backup.status == "failed" else 0)
