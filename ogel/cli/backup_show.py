"""`ogel backup show`"""

from __future__ import annotations

import click

from ogel.cli.backups import show
from ogel.cli.operator import ask, identifier, json_option, say_json


@click.command("show")
@click.argument("id", type=identifier)
@json_option
def command(id: str, as_json: bool) -> None:
    """One backup and how far it is."""
    backup = ask(lambda ogel: ogel.backups.service.get(id))
    if as_json:
        say_json(backup)
    else:
        show(backup)
