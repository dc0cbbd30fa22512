"""POST requests to providers and to the push services of browsers, and how their answers are read."""

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
    """Returns the answer, whatever its status. Raises ProviderError when there was none."""
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
    """As `post`, to a URL that a user chose."""
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
        # Without a network here, no provider can be asked; that must not use up a message's attempts.
        refused = error.reason == "refused_address"
        raise ProviderError(f"{error.reason}: {error.message}", final=refused, ours=error.ours) from error


def read(exchange: Exchange, kind: type[Answer]) -> Answer | None:
    """Decodes JSON of that type; returns None when the answer is something else."""
    try:
        return msgspec.json.decode(exchange.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def shown(text: str, scrub: Scrubber) -> str:
    """Makes a provider's text fit to store and show: without our secrets and NUL, and shortened."""
    return scrub(text).replace("\x00", "\ufffd")[:_SHOWN_CHARACTERS]
