"""Users as the own API takes and shows them: with what an operator may know, and no secret."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from ogel.features.accounts.administration.service import Whole
from ogel.features.accounts.users.user import Factor, Identity, User
from ogel.kernel.roles import WORD
from ogel.kernel.text import pattern
from ogel.runtime.http.pagination import PageQuery
from ogel.runtime.http.route import Timestamp

Text = Annotated[str, Meta(min_length=1, max_length=320)]
Password = Annotated[str, Meta(min_length=1, max_length=1024)]
Metadata = dict[str, Any]
Label = Annotated[
    str,
    Meta(
        pattern=pattern(f"^{WORD}(?!\\n)$", "letters, digits, _ and -, 32 at most, a letter or digit first")
    ),
]
Labels = Annotated[list[Label], Meta(max_length=100, description="Roles `label:NAME` of the user.")]


class UsersQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`filter` is part of an address, a number or a name."""

    filter: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    email: Text | None = None


class UserChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What is left out stays as it is. Of metadata the named values change; null removes one. An address changes at once,
    without a mail to it. A new password ends all sessions. `banned_until` null ends a ban.
    """

    email: Text | None = None
    email_confirmed: bool = False
    phone: Text | None = None
    phone_confirmed: bool = False
    password: Password | None = None
    password_hash: Text | None = None
    user_metadata: Metadata | None = None
    app_metadata: Metadata | None = None
    role: Text | None = None
    labels: Labels | None = None
    banned_until: Timestamp | UnsetType | None = UNSET


class UserForm(UserChange, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Has an address or a number. `password_hash` comes from another system: argon2, bcrypt, scrypt, PBKDF2, Firebase.
    """

    id: UUID | None = None


class UserInfo(Struct, frozen=True, kw_only=True):
    """`user_metadata` is what users write of themselves, `app_metadata` what only operators and Ogel do."""

    id: UUID
    email: str | None
    email_confirmed_at: datetime | None
    phone: str | None
    phone_confirmed_at: datetime | None
    role: str
    labels: list[str]
    user_metadata: Metadata
    app_metadata: Metadata
    is_anonymous: bool
    banned_until: datetime | None
    last_sign_in_at: datetime | None
    deleted_at: datetime | None
    created_at: datetime
    updated_at: datetime


class UserDetail(UserInfo, frozen=True, kw_only=True):
    identities: Sequence[Identity]
    factors: Sequence[Factor]


def info(user: User) -> UserInfo:
    return UserInfo(**{name: getattr(user, name) for name in UserInfo.__struct_fields__})


def detail(whole: Whole) -> UserDetail:
    return UserDetail(**structs.asdict(info(whole.user)), identities=whole.identities, factors=whole.factors)
