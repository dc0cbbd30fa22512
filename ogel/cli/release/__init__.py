"""`ogel release`"""

from __future__ import annotations

import click

from ogel.cli import LateGroup

COMMANDS = {
    "status": "Which deployment each service runs, of what, and which one could be gone back to.",
    "deploy": "Have all services run an image or a commit, and follow that to its end.",
    "rollback": "Have them run what they ran before.",
}


@click.group("release", cls=LateGroup, late=COMMANDS, prefix="release.")
def command() -> None:
    """What each service runs, and what it could go back to; deploy, and go back.

    They need RAILWAY_TOKEN, which is for one environment, or RAILWAY_API_TOKEN.
    """
