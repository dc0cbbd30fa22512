"""A user as the tables hold it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct


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
