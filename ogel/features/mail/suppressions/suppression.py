"""A suppression as callers make and read it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from ogel.features.mail.message import AddressText
from ogel.kernel.text import STORABLE_PATTERN

Reason = Literal["bounce", "complaint", "unsubscribe", "manual"]


class NewSuppression(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address that is suppressed already keeps its first reason."""

    address: AddressText
    reason: Reason = "manual"
    detail: Annotated[str, Meta(max_length=500, pattern=STORABLE_PATTERN)] | None = None


class Suppression(Struct, frozen=True):
    """Ogel writes a `bounce` when an address does not exist; `message` is the id of the message that bounced."""

    address: str
    reason: Reason
    detail: str | None
    message: str | None
    created_at: datetime
