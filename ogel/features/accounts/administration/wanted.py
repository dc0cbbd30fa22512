"""What an operator wants a user to be."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.users.address import email_of
from ogel.kernel.errors import Forbidden
from ogel.kernel.principal import SERVICE, Principal

_MOST_ROLE_CHARACTERS = 100
# International numbers (E.164): without the plus sign, as GoTrue keeps them.
_LEAST_DIGITS, _MOST_DIGITS = 2, 15
# Roles whose tokens may do what no user may.
_RESERVED = frozenset({SERVICE, "supabase_admin"})


class Wanted(Struct, frozen=True, kw_only=True):
    """
    None leaves a thing as it is. Of metadata only the given names change; null removes one.

    email           changes at once, without a mail; `email_confirm` says that it is theirs.
    phone           likewise.
    password_hash   of another system, in place of a password.
    banned_until    None ends a ban; UNSET leaves it.
    """

    email: str | None = None
    email_confirm: bool = False
    phone: str | None = None
    phone_confirm: bool = False
    password: str | None = None
    password_hash: str | None = None
    user_metadata: dict[str, Any] | None = None
    app_metadata: dict[str, Any] | None = None
    role: str | None = None
    labels: Sequence[str] | None = None
    banned_until: datetime | UnsetType | None = UNSET


class WantedNew(Wanted, frozen=True, kw_only=True):
    id: UUID | None = None


def checked_email(text: str | None) -> str | None:
    """Returns None for an empty one. Raises AccountError."""
    return email_of(text) if text else None


def checked_phone(text: str | None) -> str | None:
    """Returns its digits alone; None for an empty one. Raises AccountError."""
    if not text:
        return None
    digits = text.replace(" ", "").removeprefix("+")
    if (
        not (digits.isascii() and digits.isdigit() and _LEAST_DIGITS <= len(digits) <= _MOST_DIGITS)
        or digits[0] == "0"
    ):
        raise AccountError(400, "validation_failed", "Invalid phone number format (E.164 required)")
    return digits


def checked_role(text: str | None, by: Principal) -> str | None:
    """
    Raises AccountError, and Forbidden for a role with more rights than whoever gives it: a key that manages accounts
    does not become one that may do everything.
    """
    if not text:
        return None
    if len(text) > _MOST_ROLE_CHARACTERS or not text.isprintable():
        raise AccountError(
            400, "validation_failed", f"role takes at most {_MOST_ROLE_CHARACTERS} printable characters"
        )
    if text in _RESERVED and not by.may("*"):
        raise Forbidden(f"Only a key with every scope gives the role {text!r}.")
    return text
