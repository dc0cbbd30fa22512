"""A user as the tables hold it, and what a new one is made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from ogel.kernel.principal import Caller, Principal


class Identity(Struct, frozen=True, kw_only=True):
    """
    Who a user is for a provider (`email`, `github`). `provider_id` is the provider's id of the user; for email it is
    the user's own id.
    """

    id: UUID
    user_id: UUID
    provider: str
    provider_id: str
    identity_data: dict[str, Any]
    email: str | None
    last_sign_in_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Factor(Struct, frozen=True, kw_only=True):
    """What a user can show besides a password: an authenticator app (`totp`), recovery codes (`recovery_code`)."""

    id: UUID
    user_id: UUID
    friendly_name: str | None
    factor_type: str
    status: str
    last_challenged_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def is_verified(self) -> bool:
        return self.status == "verified"


class User(Struct, frozen=True, kw_only=True):
    """
    `email` is in lower case. `email_change` is the new address until it is confirmed. `app_metadata` is what only
    operators change, `user_metadata` what users write of themselves.
    """

    id: UUID
    aud: str
    role: str
    email: str | None
    email_confirmed_at: datetime | None
    email_change: str | None
    email_change_confirm_status: int
    phone: str | None
    phone_confirmed_at: datetime | None
    confirmed_at: datetime | None
    encrypted_password: str | None
    invited_at: datetime | None
    confirmation_sent_at: datetime | None
    recovery_sent_at: datetime | None
    email_change_sent_at: datetime | None
    reauthentication_sent_at: datetime | None
    last_sign_in_at: datetime | None
    app_metadata: dict[str, Any]
    user_metadata: dict[str, Any]
    labels: list[str]
    banned_until: datetime | None
    is_anonymous: bool
    is_sso_user: bool
    deleted_at: datetime | None
    created_at: datetime
    updated_at: datetime


class NewIdentity(Struct, frozen=True):
    """What a provider says of a user. `data` holds `sub`, and `email` where the provider names one."""

    provider: str
    provider_id: str
    data: dict[str, Any]


class NewUser(Struct, frozen=True, kw_only=True):
    """
    email          in lower case; with it comes an identity of the provider `email`, save where `identity` is another.
    password_hash  of Hasher.hash, or one that check_hash has taken.
    user_metadata  what they say of themselves.
    app_metadata   besides `provider` and `providers`, which follow from the identity.
    signs_up       they came themselves: their metadata name the address, too.
    """

    id: UUID | None = None
    email: str | None = None
    email_confirmed: bool = False
    phone: str | None = None
    phone_confirmed: bool = False
    password_hash: str | None = None
    user_metadata: dict[str, Any] = {}
    app_metadata: dict[str, Any] = {}
    role: str = "authenticated"
    labels: list[str] = []
    banned_until: datetime | None = None
    is_anonymous: bool = False
    invited: bool = False
    signs_up: bool = False
    identity: NewIdentity | None = None


def acting(caller: Caller, user: User) -> Caller:
    """The same request, made by that user: who has just shown who they are."""
    return structs.replace(caller, principal=Principal("user", str(user.id), role=user.role))
