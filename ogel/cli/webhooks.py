"""`ogel webhooks`"""

from __future__ import annotations

import click

from ogel.cli import LateGroup

COMMANDS = {
    "verify": "Check the signature of a captured request; exit 0 or 1.",
}


@click.group("webhooks", cls=LateGroup, late=COMMANDS, prefix="webhooks_")
def command() -> None:
    """Verify captured requests."""
