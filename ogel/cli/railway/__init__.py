"""`ogel railway`"""

from __future__ import annotations

import click

from ogel.cli import LateGroup

COMMANDS = {"plan": "What `railway config apply` would create, change and delete, in words."}


@click.group("railway", cls=LateGroup, late=COMMANDS, prefix="railway.")
def command() -> None:
    """What the file that describes services to Railway would change there."""
