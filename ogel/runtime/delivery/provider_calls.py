"""One POST to a provider, or to a push service that a browser chose; and what all of them may answer."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.egress import Egress, EgressError, Exchange, Headers
from ogel.runtime.outgoing import Outgoing
from ogel.runtime.secrets.scrub import Scrubber

TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024
_SHOWN_CHARACTERS = 300

Answer = TypeVar("Answer")


async def post(
    outgoing: Outgoing, url: str, headers: Headers, body: bytes, timeout_seconds: float = TIMEOUT_SECONDS
) -> Exchange:
    """Any answer, whatever its status. Raises ProviderError when there was none."""
    return await _answered(
        outgoing.request(
            "POST",
            url,
            headers=headers,
            body=body,
            timeout_seconds=timeout_seconds,
            max_body_bytes=MAX_ANSWER_BYTES,
        )
    )


async def post_form(outgoing: Outgoing, url: str, headers: Headers, form: Mapping[str, str]) -> Exchange:
    typed = [("Content-Type", "application/x-www-form-urlencoded"), *headers]
    return await post(outgoing, url, typed, urlencode(form).encode())


async def post_guarded(egress: Egress, url: str, headers: Headers, body: bytes, pool_key: str) -> Exchange:
    """As `post`, to a URL that somebody else chose."""
    return await _answered(
        egress.post(
            url,
            headers=headers,
            body=body,
            timeout_seconds=TIMEOUT_SECONDS,
            pool_key=pool_key,
            max_body_bytes=MAX_ANSWER_BYTES,
        )
    )


async def _answered(exchange: Awaitable[Exchange]) -> Exchange:
    try:
        return await exchange
    except EgressError as error:
        # Without a network of ours nobody can be asked: that must not use up a message's attempts.
        refused = error.reason == "refused_address"
        raise ProviderError(f"{error.reason}: {error.message}", final=refused, ours=error.ours) from error


def read(exchange: Exchange, kind: type[Answer]) -> Answer | None:
    """None when the answer is not JSON of that kind."""
    try:
        return msgspec.json.decode(exchange.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def shown(text: str, scrub: Scrubber) -> str:
    """A provider's words as they can be stored and shown: without our secrets, not too many, and without NUL."""
    return scrub(text).replace("\x00", "\ufffd")[:_SHOWN_CHARACTERS]
