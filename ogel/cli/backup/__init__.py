"""`ogel backup`"""

from __future__ import annotations

import click

from ogel.cli import LateGroup

COMMANDS = {
    "create": "Have a worker copy all of Ogel's data into the store.",
    "list": "All backups, of the database or of the store.",
    "show": "One backup and how far it is.",
    "verify": "Have a worker read all of it and check that it can be restored.",
    "restore": "Bring a backup into an empty database.",
    "delete": "Delete a backup with its objects.",
}


@click.group("backup", cls=LateGroup, late=COMMANDS, prefix="backup.")
def command() -> None:
    """Copy all of Ogel's data into the store, check it, and restore it into an empty database."""
