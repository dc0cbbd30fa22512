"""`ogel accounts import`"""

from __future__ import annotations

import click

from ogel.cli import LateGroup

SOURCES = {
    "supabase": "Users of a Supabase project, from its database.",
    "appwrite": "Users of an Appwrite project, from its API or from a file.",
}


@click.group("import", cls=LateGroup, late=SOURCES, prefix="accounts.")
def command() -> None:
    """Take users over with their passwords, other sites' accounts and second factors."""
