"""A release as callers read it: which program answers, and which schema it found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

# The newest migrations that are shown: a deployment that is older than all of them is not gone back to.
MOST_MIGRATIONS = 50


class AppliedMigration(Struct, frozen=True):
    name: str
    applied_at: datetime


class SchemaState(Struct, frozen=True):
    """
    `current`: nothing is missing of what this version needs. `beyond` are migrations that it does not know, because a
    newer one applied them: it works on with those. `applied` are the newest first, 50 of them.
    """

    current: bool
    missing: Sequence[str]
    beyond: Sequence[str]
    applied: Sequence[AppliedMigration]


class Release(Struct, frozen=True):
    """Of the process that answers. `commit` and `deployment` are null where nobody told it."""

    version: str
    commit: str | None
    deployment: str | None
    started_at: datetime
    schema: SchemaState


def schema_state(needed: Sequence[str], applied: Sequence[AppliedMigration]) -> SchemaState:
    """`applied` in the order in which that happened."""
    known, there = set(needed), {each.name for each in applied}
    missing = [name for name in needed if name not in there]
    beyond = [each.name for each in applied if each.name not in known]
    newest = list(reversed(applied))[:MOST_MIGRATIONS]
    return SchemaState(not missing, missing, beyond, newest)
