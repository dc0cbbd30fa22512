"""`ogel backup delete`"""

from __future__ import annotations

import click

from ogel.cli.operator import ask, identifier, operator


@click.command("delete")
@click.argument("id", type=identifier)
def command(id: str) -> None:
    """Delete a backup with its objects, which a worker removes; one that runs is stopped."""
    ask(lambda ogel: ogel.backups.service.delete(operator(), id))
    click.echo(f"{id} deleted")
