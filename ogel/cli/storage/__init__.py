"""`ogel storage`"""

from __future__ import annotations

import click

from ogel.cli import LateGroup

COMMANDS = {
    "ls": "Buckets, or what is in one.",
    "cp": "Copy files into buckets, out of them, or from one to another.",
    "rm": "Delete objects, or a bucket with all that is in it.",
    "mb": "Make a bucket.",
    "usage": "How much is stored, by bucket.",
    "verify": "Compare what is known of the store with what is in it, both ways.",
    "gc": "Delete now what nobody wants any more.",
}


@click.group("storage", cls=LateGroup, late=COMMANDS, prefix="storage.")
def command() -> None:
    """Buckets and the objects in them: copy files in and out, list, delete, measure, verify.

    An object is written BUCKET:NAME (photos:2026/beach.jpg).
    """
