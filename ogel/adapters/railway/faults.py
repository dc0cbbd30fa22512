"""
What Railway says when it refuses, as one RailwayError per cause.

Errors of GraphQL come with status 200, and their codes do not tell them apart: INTERNAL_SERVER_ERROR stands for a wrong
token, a missing deployment and a defect alike. So their messages have to be read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from ogel.kernel.clock import utc_now
from ogel.runtime.delivery.retry_after import retry_after_seconds
from ogel.runtime.egress import Exchange
from ogel.runtime.railway import Cause, RailwayError
from ogel.runtime.secrets.scrub import Scrubber

MOST_RETRY_SECONDS = 3600.0
_SHOWN_CHARACTERS = 300
_NOT_AUTHORIZED = re.compile(r"not authorized|unauthorized|unauthenticated", re.IGNORECASE)
# Also of a project's token that came in the header of others.
_NO_TOKEN = re.compile(r"project token not found|invalid token|token (has )?expired", re.IGNORECASE)
# In the order in which they are looked for.
_CAUSES: Sequence[tuple[re.Pattern[str], Cause]] = (
    (re.compile(r"two.factor|restricted|forbidden|permission", re.IGNORECASE), "forbidden"),
    (re.compile(r"rate.?limit|too many requests|too quickly", re.IGNORECASE), "limited"),
    (re.compile(r"not found|does not exist", re.IGNORECASE), "not_found"),
    (
        re.compile(r"cannot query field|unknown (argument|type|field)|is not defined by type", re.IGNORECASE),
        "changed",
    ),
)
_CODES: dict[str, Cause] = {
    "FORBIDDEN": "forbidden",
    "GRAPHQL_VALIDATION_FAILED": "changed",
    "NOT_FOUND": "not_found",
    "RATE_LIMITED": "limited",
}


class Fault(Struct, rename="camel"):
    """One of the `errors` in an answer. Nothing in it is sure to be there, or of its type."""

    message: Any = None
    path: Any = None
    extensions: Any = None
    trace_id: Any = None

    @property
    def words(self) -> str:
        return self.message if isinstance(self.message, str) else ""

    @property
    def code(self) -> str:
        return self._told("code")

    @property
    def where(self) -> str:
        return ".".join(str(each) for each in self.path) if isinstance(self.path, list) else ""

    @property
    def trace(self) -> str:
        return self.trace_id if isinstance(self.trace_id, str) else self._told("traceId")

    def _told(self, name: str) -> str:
        found = self.extensions.get(name) if isinstance(self.extensions, dict) else None
        return found if isinstance(found, str) else ""


class NotAuthorized(Exception):
    """
    Either the token is none, which may be `certain`, or it is for something else, or what it was asked about is not
    there.
    """

    def __init__(self, message: str, certain: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.certain = certain


def of_faults(faults: Sequence[Fault], answer: Exchange, scrub: Scrubber) -> RailwayError | NotAuthorized:
    first = faults[0]
    message = said(first, len(faults), scrub)
    if _NO_TOKEN.search(first.words):
        return NotAuthorized(message, certain=True)
    if first.code == "UNAUTHENTICATED" or _NOT_AUTHORIZED.search(first.words):
        return NotAuthorized(message)
    cause = next((cause for pattern, cause in _CAUSES if pattern.search(first.words)), None)
    cause = cause or _CODES.get(first.code, "refused")
    if cause == "limited":
        return limited(answer)
    if cause == "changed":
        return RailwayError(cause, f"Railway's API has changed: {message}")
    return RailwayError(cause, f"Railway says: {message}")


def said(fault: Fault, count: int, scrub: Scrubber) -> str:
    """On one line, with where it happened, and by what Railway's support finds it again."""
    words = " ".join(scrub(fault.words).split())[:_SHOWN_CHARACTERS] or "an error without a message"
    where = f" at {scrub(fault.where)[:_SHOWN_CHARACTERS]}" if fault.where else ""
    more = f" and {count - 1} more" if count > 1 else ""
    trace = f" (trace {fault.trace[:64]})" if fault.trace else ""
    return f"{words}{where}{more}{trace}"


def limited(answer: Exchange) -> RailwayError:
    seconds = _wait(answer)
    when = "in a while" if seconds is None else f"in {seconds:.0f} s"
    return RailwayError(
        "limited", f"Railway has had enough requests of this token; it takes more {when}", seconds
    )


def _wait(answer: Exchange) -> float | None:
    asked = retry_after_seconds(answer)
    if asked is None and (reset := answer.header("x-ratelimit-reset")) is not None:
        asked = _until(reset.strip())
    return None if asked is None else min(max(asked, 0.0), MOST_RETRY_SECONDS)


def _until(reset: str) -> float | None:
    """The docs say "the time at which the window ends", and not how it is written."""
    try:
        number = float(reset)
        seconds = number / 1000 if number > 1e11 else number
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        try:
            moment = datetime.fromisoformat(reset)
        except ValueError:
            return None
    return (moment - utc_now()).total_seconds() if moment.tzinfo is not None else None
