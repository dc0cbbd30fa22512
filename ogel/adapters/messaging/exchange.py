"""One POST to a provider, and what all of them may answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from ogel.kernel.clock import utc_now
from ogel.runtime.egress import Egress, EgressError, Exchange, Headers
from ogel.runtime.providers import ProviderError

TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024
# Whatever a service asks for, it is asked again after this.
MOST_RETRY_AFTER_SECONDS = 3600.0
_SHOWN_CHARACTERS = 300

Answer = TypeVar("Answer")


async def post(egress: Egress, url: str, headers: Headers, body: bytes, pool_key: str) -> Exchange:
    """Any answer, whatever its status. Raises ProviderError when there was none."""
    try:
        return await egress.post(
            url,
            headers=headers,
            body=body,
            timeout_seconds=TIMEOUT_SECONDS,
            pool_key=pool_key,
            max_body_bytes=MAX_ANSWER_BYTES,
        )
    except EgressError as error:
        # Without a network of ours nobody can be asked: that must not use up a message's attempts.
        refused = error.reason == "refused_address"
        raise ProviderError(f"{error.reason}: {error.message}", final=refused, ours=error.ours) from error


async def post_form(
    egress: Egress, url: str, headers: Headers, form: Mapping[str, str], pool_key: str
) -> Exchange:
    typed = [("Content-Type", "application/x-www-form-urlencoded"), *headers]
    return await post(egress, url, typed, urlencode(form).encode(), pool_key)


def read(exchange: Exchange, kind: type[Answer]) -> Answer | None:
    """None when the answer is not JSON of that kind."""
    try:
        return msgspec.json.decode(exchange.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def retry_after(exchange: Exchange, now: datetime | None = None) -> float | None:
    """RFC 9110 §10.2.3: seconds or a date. None for none, and for one that cannot be read."""
    text = (exchange.header("retry-after") or "").strip()
    if text.isascii() and text.isdigit():
        return min(MOST_RETRY_AFTER_SECONDS, float(text[:10]))
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - (now or utc_now())).total_seconds()
    return min(MOST_RETRY_AFTER_SECONDS, max(0.0, seconds))


def shown(text: str) -> str:
    """A provider's words as they can be stored and shown: not too many, and without NUL."""
    return text.replace("\x00", "\ufffd")[:_SHOWN_CHARACTERS]
