"""What is handed to a listener, and what it brings back."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ogel.kernel.text import STORABLE_PATTERN

# A request is handed over within this, or its attempt is put off.
TAKE_SECONDS = 5.0
# A listener asks again at least so often, and is away when it has not.
MOST_WAIT_SECONDS = 10.0
AWAY_SECONDS = 25.0
# One that is away for longer is forgotten, with what waits for it.
FORGET_SECONDS = 60.0
# The way back, beside the time that the request itself may take.
RETURN_SECONDS = 3.0

MOST_HEADERS = 100
MAX_BODY_CHARACTERS = 16 * 1024 * 4 // 3 + 4  # base64 of 16 KiB

Text = Annotated[str, Meta(max_length=8192, pattern=STORABLE_PATTERN)]
Seconds = Annotated[float, Meta(ge=0, le=3600)]
Failure = Literal["timeout", "dns", "connect", "tls", "too_large", "protocol", "reset"]


class Handover(Struct, frozen=True):
    """
    One request, to be sent as it is: `body` is text whose UTF-8 bytes are what was signed. To be answered within
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
    """`body` is base64, 16 KiB of it at most; `truncated`: there was more."""

    status: Annotated[int, Meta(ge=100, le=599)]
    headers: Annotated[list[tuple[Text, Text]], Meta(max_length=MOST_HEADERS)] = []
    body: Annotated[str, Meta(max_length=MAX_BODY_CHARACTERS)] = ""
    truncated: bool = False
    first_byte_seconds: Seconds | None = None


class Failed(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing, or no HTTP, came back."""

    reason: Failure
    message: Annotated[str, Meta(min_length=1, max_length=300, pattern=STORABLE_PATTERN)]


class HandoverAnswer(Struct, frozen=True, forbid_unknown_fields=True):
    """What the program answered, or why it did not: one of the two."""

    answered: Answered | None = None
    failed: Failed | None = None
