"""A session: what somebody has signed in with, and what they were given for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.users.user import Factor, Identity, User
from ogel.kernel.roles import roles_claim


def token_key_purpose(session_id: str) -> str:
    """What the vault seals a session's key for."""
    return f"session:{session_id}"


class Account(Struct, frozen=True):
    """A user with all that is shown of them, and the roles that they have by membership of teams."""

    user: User
    identities: list[Identity]
    factors: list[Factor]
    team_roles: list[str]

    @property
    def roles(self) -> list[str]:
        """The claim `roles` of their principal: see kernel/roles.py."""
        user = self.user
        return roles_claim(
            verified=user.confirmed_at is not None, labels=user.labels, of_teams=self.team_roles
        )


class Issued(Struct, frozen=True, kw_only=True):
    """`expires_in` is in seconds, `expires_at` in seconds since 1970; both are the access token's."""

    access_token: str
    expires_in: int
    expires_at: int
    refresh_token: str
    user: User
    identities: Sequence[Identity]
    factors: Sequence[Factor]
    session_id: UUID


class Session(Struct, frozen=True, kw_only=True):
    """`amr` is how its user has signed in, the newest first; it ends at `not_after` if it is not refreshed before."""

    id: UUID
    user_id: UUID
    aal: str
    amr: list[dict[str, Any]]
    ip: str | None
    user_agent: str | None
    created_at: datetime
    refreshed_at: datetime
    not_after: datetime
