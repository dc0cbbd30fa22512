"""`ogel accounts`"""

from __future__ import annotations

import click

from ogel.cli import LateGroup

COMMANDS = {
    "keys": "List and rotate the keys that access tokens are signed with.",
}


@click.group("accounts", cls=LateGroup, late=COMMANDS, prefix="accounts.")
def command() -> None:
    """The keys that access tokens are signed with."""
