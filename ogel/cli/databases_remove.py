"""`ogel databases remove`"""

from __future__ import annotations

import click

from ogel.cli.operator import api, identifier, json_option, say_json


@click.command("remove")
@click.argument("name", type=identifier)
@json_option
def command(name: str, as_json: bool) -> None:
    """Forget a database, and leave it as it is. Not while it is being migrated."""
    with api() as ogel:
        ogel.request("DELETE", f"/api/databases/{name}")
    if as_json:
        say_json({"removed": name})
    else:
        click.echo(f"{name} removed")
