"""One POST to a provider, and what all of them may answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.egress import Egress, EgressError, Exchange, Headers
from ogel.runtime.secrets.scrub import Scrubber

TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 1024
_SHOWN_CHARACTERS = 300

Answer = TypeVar("Answer")


async def post(
    egress: Egress,
    url: str,
    headers: Headers,
    body: bytes,
    pool_key: str,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Exchange:
    """Any answer, whatever its status. Raises ProviderError when there was none."""
    try:
        return await egress.post(
            url,
            headers=headers,
            body=body,
            timeout_seconds=timeout_seconds,
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


def shown(text: str, scrub: Scrubber) -> str:
    """A provider's words as they can be stored and shown: without our secrets, not too many, and without NUL."""
    return scrub(text).replace("\x00", "\ufffd")[:_SHOWN_CHARACTERS]
