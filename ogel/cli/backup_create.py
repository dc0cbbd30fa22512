"""`ogel backup create`"""

from __future__ import annotations

import sys

import click

from ogel.cli.backups import run, wait_option
from ogel.cli.operator import api, json_option


def _note(value: str) -> str:
    if len(value) > 500:
        raise click.BadParameter("takes 500 characters at most")
    return value


@click.command("create")
@click.option("--note", type=_note, help="Why, for people; 500 characters at most.")
@wait_option
@json_option
def command(note: str | None, wait: bool, as_json: bool) -> None:
    """
    Have a worker copy all of Ogel's data into the store.

    Exit 0 when it is complete, or was not waited for; 1 when it failed, or another one runs.
    """
    with api() as ogel:
        begun = ogel.request("POST", "/api/backups", body={"note": note})
        backup = run(ogel, begun, lambda backup: backup.status == "running", wait, as_json)
    sys.exit(1 if backup.status == "failed" else 0)
