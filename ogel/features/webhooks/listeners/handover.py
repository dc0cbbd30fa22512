"""Requests handed to a listener, and its answers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ogel.kernel.text import STORABLE_PATTERN

# A request must be taken within this time, or its attempt is postponed.
TAKE_SECONDS = 5.0
# A listener polls at least this often; one that has not is away.
MOST_WAIT_SECONDS = 10.0
AWAY_SECONDS = 25.0
# A listener that is away for longer is deleted, with its waiting deliveries.
FORGET_SECONDS = 60.0
# Allowed for returning the answer, in addition to the time limit of the request.
RETURN_SECONDS = 3.0

MOST_HEADERS = 100
MAX_BODY_CHARACTERS = 16 * 1024 * 4 // 3 + 4  # base64 of 16 KiB

Text = Annotated[str, Meta(max_length=8192, pattern=STORABLE_PATTERN)]
Seconds = Annotated[float, Meta(ge=0, le=3600)]
Failure = Literal["timeout", "dns", "connect", "tls", "too_large", "protocol", "reset"]


class Handover(Struct, frozen=True):
    """
    One request, to be sent unchanged: the UTF-8 bytes of `body` are what was signed. It must be answered within
    `timeout_seconds`.
    """

    id: str
    event: str
    event_type: str
    delivery: str
    headers: list[tuple[str, str]]
    body: str
    timeout_seconds: float


class Handovers(Struct, frozen=True):
    items: list[Handover]


class Answered(Struct, frozen=True, forbid_unknown_fields=True):
    """`body` is base64 of at most 16 KiB; `truncated` means that there was more."""

    status: Annotated[int, Meta(ge=100, le=599)]
    headers: Annotated[list[tuple[Text, Text]], Meta(max_length=MOST_HEADERS)] = []
    body: Annotated[str, Meta(max_length=MAX_BODY_CHARACTERS)] = ""
    truncated: bool = False
    first_byte_seconds: Seconds | None = None


class Failed(Struct, frozen=True, forbid_unknown_fields=True):
    """No answer came, or none that is HTTP."""

    reason: Failure
    message: Annotated[str, Meta(min_length=1, max_length=300, pattern=STORABLE_PATTERN)]


class HandoverAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """Needs either the program's answer or the failure."""

    answered: Answered | None = None
    failed: Failed | None = None
