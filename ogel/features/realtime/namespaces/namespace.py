"""A namespace, and what may be said of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Struct

from ogel.kernel.text import pattern

# How the default one, which is for all channels of no other, is called where a name is needed.
DEFAULT = "default"
# `$ogel` has the stream of events.
NAME_PATTERN = pattern(r"^(?:[A-Za-z0-9_.-]{1,64}|\$ogel)(?!\n)$", "1 to 64 letters, digits, _, . and -")

Roles = Annotated[list[str], msgspec.Meta(max_length=50)]


class NamespaceRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    `history_size` publications of a channel are kept for `history_seconds`, for who was away. `subscribe_roles` and
    `publish_roles` are of people, in words like `users` or `team:ID`; keys may by their scopes.
    """

    history_size: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 1000
    history_seconds: Annotated[int, msgspec.Meta(ge=0, le=7 * 24 * 3600)] = 3600
    subscribe_roles: Roles = []
    publish_roles: Roles = []
    has_presence: bool = True


class Namespace(Struct, frozen=True):
    """`name` is `default` for the one of all channels that have no other."""

    name: str
    history_size: int
    history_seconds: int
    subscribe_roles: Sequence[str]
    publish_roles: Sequence[str]
    has_presence: bool
    changed_at: datetime | None


# Nobody has set the default one.
UNSET = Namespace(DEFAULT, 1000, 3600, [], [], True, None)
