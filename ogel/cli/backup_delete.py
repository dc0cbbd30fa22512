"""`ogel backup delete`"""

from __future__ import annotations

import click

from ogel.cli.operator import api, identifier


@click.command("delete")
@click.argument("id", type=identifier)
def command(id: str) -> None:
    """Delete a backup with its objects, which a worker removes; one that runs is stopped."""
    with api() as ogel:
        ogel.request("DELETE", f"/api/backups/{id}")
    click.echo(f"{id} deleted")
