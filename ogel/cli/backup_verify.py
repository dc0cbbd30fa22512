"""`ogel backup verify`"""

from __future__ import annotations

import sys

import click

from ogel.cli.backups import run, wait_option
from ogel.cli.operator import api, identifier, json_option


@click.command("verify")
@click.argument("id", type=identifier)
@wait_option
@json_option
def command(id: str, wait: bool, as_json: bool) -> None:
    """
    Have a worker read all of it and check that it can be restored.

    Exit 0 when it can, or was not waited for; 1 when it cannot, or is not complete.
    """
    with api() as ogel:
        begun = ogel.request("POST", f"/api/backups/{id}/verify")
        backup = run(ogel, begun, lambda backup: backup.verification == "running", wait, as_json)
    sys.exit(1 if backup.verification == "failed" else 0)
