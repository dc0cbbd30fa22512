"""`ogel network`"""

from __future__ import annotations

import click

from ogel.cli import LateGroup

COMMANDS = {
    "check": "Where each server is, and how far away; exit 1 when one is reached publicly.",
    "plan": "Which variables of a Railway project lead outside, and what they would be.",
    "apply": "Write the plan, after keeping what it replaces.",
    "rollback": "Put variables back as they were before `apply`.",
}


@click.group("network", cls=LateGroup, late=COMMANDS, prefix="network.")
def command() -> None:
    """Find what is reached over the public internet, move it inside, and back."""
