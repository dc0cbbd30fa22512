"""Requests to identity providers, each within bounds of time and size, and what they answer as a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from ogel.kernel.text import storable
from ogel.runtime.egress import EgressError, Exchange, Headers
from ogel.runtime.identity_provider import ProviderError
from ogel.runtime.outgoing import Outgoing
from ogel.runtime.secrets.scrub import Scrubber

TIMEOUT_SECONDS = 8.0
# Documents of keys are the largest; Microsoft's has some 20 KiB.
MAX_ANSWER_BYTES = 256 * 1024
_SHOWN_CHARACTERS = 200

Answer = TypeVar("Answer")


class _Refused(Struct):
    error: str = ""
    error_description: str = ""


async def get(outgoing: Outgoing, url: str, kind: type[Answer], what: str, headers: Headers = ()) -> Answer:
    """Returns the JSON at `url`. `what` it is begins the message of the ProviderError that this raises."""
    return _read(await _answered(outgoing, "GET", url, headers, b"", what), kind, what, Scrubber(()))


async def post_form(
    outgoing: Outgoing, url: str, kind: type[Answer], what: str, headers: Headers, form: Mapping[str, str]
) -> Answer:
    """As `get`. What an error quotes of the form's values is masked."""
    typed = [("Content-Type", "application/x-www-form-urlencoded"), *headers]
    answer = await _answered(outgoing, "POST", url, typed, urlencode(form).encode(), what)
    return _read(answer, kind, what, Scrubber(form.values()))


async def _answered(
    outgoing: Outgoing,
    method: Literal["GET", "POST"],
    url: str,
    headers: Headers,
    body: bytes,
    what: str,
) -> Exchange:
    try:
        return await outgoing.request(
            method,
            url,
            headers=[("Accept", "application/json"), ("User-Agent", "Ogel"), *headers],
            body=body,
            timeout_seconds=TIMEOUT_SECONDS,
            max_body_bytes=MAX_ANSWER_BYTES,
        )
    except EgressError as error:
        raise ProviderError(f"{what}: {error.reason}, {error.message}") from error


def _read(answer: Exchange, kind: type[Answer], what: str, scrub: Scrubber) -> Answer:
    """A redirect is not followed: where it leads, nobody has chosen."""
    refused = _decoded(answer, _Refused) or _Refused()
    if answer.status not in (200, 201) or refused.error:  # GitHub refuses with 200
        said = storable(scrub(f"{refused.error} {refused.error_description}"))[:_SHOWN_CHARACTERS].strip()
        raise ProviderError(f"{what}: {answer.status} {said}".rstrip())
    if answer.truncated:
        raise ProviderError(f"{what}: more than {MAX_ANSWER_BYTES} bytes")
    read = _decoded(answer, kind)
    if read is None:
        raise ProviderError(f"{what}: not the JSON that was expected")
    return read


def _decoded(answer: Exchange, kind: type[Answer]) -> Answer | None:
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
