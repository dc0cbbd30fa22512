"""`ogel webhooks`"""

from __future__ import annotations

import click

from ogel.cli import LateGroup

COMMANDS = {
    "list": "All endpoints and how they are.",
    "show": "One endpoint: settings, health, secrets, what waits, last deliveries.",
    "test": "Send an endpoint a webhook.test event and say how it went.",
    "pause": "Send nothing more until it is resumed; deliveries wait.",
    "resume": "Enable an endpoint that is paused or was disabled.",
    "replay": "Deliver again what failed, what is missing, or all, since a time.",
    "tail": "Follow attempts as they are recorded.",
    "verify": "Check the signature of a captured request; exit 0 or 1.",
}


@click.group("webhooks", cls=LateGroup, late=COMMANDS, prefix="webhooks.")
def command() -> None:
    """Look at endpoints, test, pause and replay them, follow attempts, verify captured requests."""
