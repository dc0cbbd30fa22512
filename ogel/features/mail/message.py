"""Mail as callers ask for it, and messages as they read them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ogel.features.mail.contract import LOCALE_PATTERN
from ogel.features.mail.templating import NAME_PATTERN, SUBJECT_CHARACTERS
from ogel.kernel.text import LINE_PATTERN, STORABLE_PATTERN
from ogel.runtime.delivery.idempotency import IdempotencyKey

MAX_CONTENT_BYTES = 512 * 1024
MAX_DATA_BYTES = 64 * 1024
MAX_RECIPIENTS = 50
MAX_ADDRESS_CHARACTERS = 320

MailStatus = Literal["queued", "sent", "failed", "suppressed"]
# What it holds is for `parse_address` to say. (A pattern here, and lengths of the list it stands beside in `to`, make
# msgspec 0.22 free memory twice.)
AddressText = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=MAX_ADDRESS_CHARACTERS,
        description="`name@example.com` or `Name <name@example.com>`.",
    ),
]
Recipients = Annotated[list[AddressText], Meta(min_length=1, max_length=MAX_RECIPIENTS)]
Content = Annotated[str, Meta(min_length=1, max_length=MAX_CONTENT_BYTES, pattern=STORABLE_PATTERN)]


class NewMail(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """
    Needs either a `template` and its `data`, or a `subject` with `text`, `html` or both. Each recipient gets a message
    of its own and does not see the others.
    """

    to: AddressText | Recipients
    template: Annotated[str, Meta(pattern=NAME_PATTERN)] | None = None
    data: dict[str, Any] | UnsetType = UNSET
    locale: Annotated[
        str, Meta(max_length=35, pattern=LOCALE_PATTERN, description="`de-AT` falls back to `de`, then `en`.")
    ] = "en"
    subject: (
        Annotated[str, Meta(min_length=1, max_length=SUBJECT_CHARACTERS, pattern=LINE_PATTERN)] | None
    ) = None
    text: Content | None = None
    html: Content | None = None
    from_: AddressText | None = None
    reply_to: AddressText | None = None
    headers: Annotated[dict[str, str], Meta(max_length=20)] = {}
    idempotency_key: IdempotencyKey | None = None


class AcceptedRecipient(Struct, frozen=True):
    """Whether the message to this recipient is `queued`, or `suppressed` because nothing is sent to the address."""

    id: str
    to: str
    status: MailStatus


class AcceptedMail(Struct, frozen=True):
    items: list[AcceptedRecipient]


class MailAttempt(Struct, frozen=True):
    """
    One request to one provider. `error` is null when it accepted the message. Without a `provider` it is only known
    that a worker began the attempt and disappeared.
    """

    provider: str | None
    started_at: datetime
    seconds: float | None
    error: str | None


class MailMessage(Struct, frozen=True, rename={"from_": "from"}):
    """
    `sent`: a provider accepted it. `failed`: it was refused for good, or no attempts are left. `suppressed`: nothing
    is sent to this address, see /api/mail/suppressions. `error` is that of the last attempt.
    """

    id: str
    to: str
    from_: str
    reply_to: str | None
    subject: str
    template: str | None
    locale: str | None
    status: MailStatus
    attempts: int
    provider: str | None
    provider_id: str | None
    error: str | None
    next_attempt_at: datetime | None
    finished_at: datetime | None
    created_at: datetime


class MailMessageWithAttempts(MailMessage, frozen=True, rename={"from_": "from"}):
    """The texts are not shown, because they may contain links that give access to accounts."""

    log: list[MailAttempt]
