"""A user as one is brought along."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from ogel.runtime.http.route import Timestamp

MOST_USERS = 200
_MOST_OF_ONE = 50
_Short = Annotated[str, Meta(max_length=255)]


class ImportedIdentity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    provider: _Short
    provider_id: _Short
    identity_data: dict[str, Any] = {}
    last_sign_in_at: Timestamp | None = None
    created_at: Timestamp | None = None


class ImportedFactor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An authenticator app; `secret` is in base32."""

    friendly_name: _Short | None = None
    secret: _Short
    created_at: Timestamp | None = None


class ImportedUser(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    With the id they had, so that rows that name them keep their meaning. `password_hash` is one of the forms that
    passwords/formats.py lists.
    """

    id: UUID
    email: _Short | None = None
    email_confirmed_at: Timestamp | None = None
    phone: _Short | None = None
    phone_confirmed_at: Timestamp | None = None
    password_hash: Annotated[str, Meta(max_length=1024)] | None = None
    app_metadata: dict[str, Any] = {}
    user_metadata: dict[str, Any] = {}
    role: _Short = "authenticated"
    labels: Annotated[list[_Short], Meta(max_length=_MOST_OF_ONE)] = []
    banned_until: Timestamp | None = None
    is_anonymous: bool = False
    invited_at: Timestamp | None = None
    last_sign_in_at: Timestamp | None = None
    created_at: Timestamp | None = None
    identities: Annotated[list[ImportedIdentity], Meta(max_length=_MOST_OF_ONE)] = []
    factors: Annotated[list[ImportedFactor], Meta(max_length=_MOST_OF_ONE)] = []


class ImportRequest(Struct, frozen=True, forbid_unknown_fields=True):
    users: Annotated[list[ImportedUser], Meta(min_length=1, max_length=MOST_USERS)]


class NotTaken(Struct, frozen=True):
    """`what` is the user, or what of theirs could not be taken: `password`, `identity github`, `factor`."""

    user_id: UUID
    what: str
    reason: str


class ImportReport(Struct, frozen=True):
    """`known` were there already, and are as they were."""

    taken: int
    known: int
    not_taken: list[NotTaken]


class IdentityRow(Struct, frozen=True):
    """A row of `identities`, as queries take it."""

    user_id: UUID
    provider: str
    provider_id: str
    identity_data: dict[str, Any]
    last_sign_in_at: datetime | None
    created_at: datetime
