"""`ogel accounts`"""

from __future__ import annotations

import click

from ogel.cli import LateGroup

COMMANDS = {
    "import": "Bring users along from Supabase or Appwrite.",
    "keys": "List and rotate the keys that access tokens are signed with.",
}


@click.group("accounts", cls=LateGroup, late=COMMANDS, prefix="accounts.")
def command() -> None:
    """Bring users along, and rotate the keys that access tokens are signed with."""
