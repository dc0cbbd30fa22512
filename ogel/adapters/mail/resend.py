"""Resend's HTTP API (POST /emails)."""

from __future__ import annotations

from typing import Any

import msgspec

from ogel import __version__
from ogel.runtime.delivery.provider_calls import post, read, shown
from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.delivery.retry_after import retry_after_seconds
from ogel.runtime.egress import Exchange
from ogel.runtime.mail.letter import Letter, Receipt
from ogel.runtime.outgoing import Outgoing
from ogel.runtime.secrets.scrub import Scrubber

BASE_URL = "https://api.resend.com"
# Seconds to wait when it reports a rate limit without saying for how long.
_BREATHER_SECONDS = 1.0


class _Answer(msgspec.Struct):
    id: str | None = None
    name: str = ""
    message: str = ""


class ResendProvider:
    """`timeout_seconds` limits one request."""

    def __init__(self, outgoing: Outgoing, api_key: str, base_url: str, timeout_seconds: float) -> None:
        self._outgoing = outgoing
        self._url = f"{base_url.rstrip('/')}/emails"
        self._authorization = f"Bearer {api_key}"
        self._scrub = Scrubber([api_key])
        self._timeout_seconds = timeout_seconds

    async def send(self, letter: Letter) -> Receipt:
        headers = [
            ("Authorization", self._authorization),
            ("Content-Type", "application/json"),
            # It forgets a key after a day. Within that, the same letter twice is one mail.
            ("Idempotency-Key", letter.id),
            ("User-Agent", f"ogel/{__version__}"),
        ]
        body = msgspec.json.encode(_request(letter))
        exchange = await post(self._outgoing, self._url, headers, body, self._timeout_seconds)
        answer = read(exchange, _Answer) or _Answer()  # a proxy's error page, for one, says nothing
        if exchange.status in (200, 201) and answer.id:
            return Receipt(shown(answer.id, self._scrub))
        raise _refusal(exchange, answer, self._scrub)


def _request(letter: Letter) -> dict[str, Any]:
    """The same letter gives the same bytes, as Resend requires under one Idempotency-Key."""
    request: dict[str, Any] = {"from": str(letter.sender), "to": [str(letter.to)], "subject": letter.subject}
    if letter.text is not None:
        request["text"] = letter.text
    if letter.html is not None:
        request["html"] = letter.html
    if letter.reply_to is not None:
        request["reply_to"] = str(letter.reply_to)
    request["headers"] = {"Message-ID": letter.message_id, **letter.headers}
    return request


def _refusal(exchange: Exchange, answer: _Answer, scrub: Scrubber) -> ProviderError:
    said = shown(": ".join(filter(None, (answer.name, answer.message))), scrub)
    message = f"resend answered {exchange.status}" + (f" ({said})" if said else "")
    match exchange.status, answer.name:
        case 409, "concurrent_idempotent_requests":
            return ProviderError(message, deferred=True)
        case _, name if name.endswith("quota_exceeded"):
            return ProviderError(message, ours=True)
        case (403, "validation_error") | (_, "invalid_from_address"):
            # A sender whose domain is not verified, or is none: about this letter, not about our account.
            return ProviderError(message, deferred=True)
        case 400 | 422, "invalid_access" | "invalid_region" | "missing_api_key" | "restricted_api_key":
            return ProviderError(message, ours=True)
        case 400 | 409 | 413 | 422, _:
            return ProviderError(message, final=True)
        case 429, _:
            asked = retry_after_seconds(exchange) or 0.0
            return ProviderError(message, retry_after_seconds=max(_BREATHER_SECONDS, asked))
        case 401 | 403 | 404 | 405, _:
            return ProviderError(message, ours=True)
        case _:
            return ProviderError(message)
