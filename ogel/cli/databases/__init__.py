"""`ogel databases`"""

from __future__ import annotations

import click

from ogel.cli import LateGroup

COMMANDS = {
    "list": "Registered databases and how they are.",
    "add": "Register a database.",
    "check": "Look at one now and say how it is; exit 0 when it answers.",
    "stats": "Its statistics, as last measured.",
    "migrate": "Apply the SQL files of a folder that a PostgreSQL database lacks.",
    "remove": "Forget a database, and leave it as it is.",
}


@click.group("databases", cls=LateGroup, late=COMMANDS, prefix="databases.")
def command() -> None:
    """Register databases that Ogel does not live in; watch, measure and migrate them."""
