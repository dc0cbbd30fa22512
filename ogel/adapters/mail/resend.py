"""Resend's HTTP API (POST /emails)."""

from __future__ import annotations

from typing import Any

import msgspec

from ogel import __version__
from ogel.runtime.egress import Egress, EgressError, Exchange
from ogel.runtime.mail.letter import Letter, Receipt
from ogel.runtime.providers import ProviderError

BASE_URL = "https://api.resend.com"
MAX_ANSWER_BYTES = 16 * 1024
# When it says that there was too much at once and not how long to wait.
_BREATHER_SECONDS = 1.0
_SHOWN_CHARACTERS = 300


class _Answer(msgspec.Struct):
    id: str | None = None
    name: str = ""
    message: str = ""


class ResendProvider:
    """`timeout_seconds` is of one request."""

    def __init__(self, egress: Egress, api_key: str, base_url: str, timeout_seconds: float) -> None:
        self._egress = egress
        self._url = f"{base_url.rstrip('/')}/emails"
        self._authorization = f"Bearer {api_key}"
        self._timeout_seconds = timeout_seconds

    async def send(self, letter: Letter) -> Receipt:
        headers = [
            ("Authorization", self._authorization),
            ("Content-Type", "application/json"),
            # It forgets a key after a day. Within that, the same letter twice is one mail.
            ("Idempotency-Key", letter.id),
            ("User-Agent", f"ogel/{__version__}"),
        ]
        try:
            exchange = await self._egress.post(
                self._url,
                headers=headers,
                body=msgspec.json.encode(_request(letter)),
                timeout_seconds=self._timeout_seconds,
                pool_key="resend",
                max_body_bytes=MAX_ANSWER_BYTES,
            )
        except EgressError as error:
            raise ProviderError(f"resend: {error.message}") from error
        answer = _answer(exchange)
        if exchange.status in (200, 201) and answer.id:
            return Receipt(answer.id[:_SHOWN_CHARACTERS])
        raise _refusal(exchange, answer)


def _request(letter: Letter) -> dict[str, Any]:
    """The same letter gives the same bytes: under one Idempotency-Key, Resend takes no others."""
    request: dict[str, Any] = {"from": str(letter.sender), "to": [str(letter.to)], "subject": letter.subject}
    if letter.text is not None:
        request["text"] = letter.text
    if letter.html is not None:
        request["html"] = letter.html
    if letter.reply_to is not None:
        request["reply_to"] = str(letter.reply_to)
    request["headers"] = {"Message-ID": letter.message_id, **letter.headers}
    return request


def _answer(exchange: Exchange) -> _Answer:
    """What is no JSON of its kind, such as a proxy's error page, says nothing."""
    try:
        return msgspec.json.decode(exchange.body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Answer()


def _refusal(exchange: Exchange, answer: _Answer) -> ProviderError:
    said = ": ".join(filter(None, (answer.name, answer.message)))[:_SHOWN_CHARACTERS]
    message = f"resend answered {exchange.status}" + (f" ({said})" if said else "")
    match exchange.status, answer.name:
        case 409, "concurrent_idempotent_requests":
            return ProviderError(message, deferred=True)
        case 400 | 409 | 413 | 422, _:
            return ProviderError(message, final=True)
        case 403, "validation_error":
            # A sender whose domain is not verified: about this letter, not about our account.
            return ProviderError(message, deferred=True)
        case 429, "daily_quota_exceeded" | "monthly_quota_exceeded":
            return ProviderError(message, ours=True)
        case 429, _:
            return ProviderError(message, retry_after_seconds=_retry_after(exchange))
        case 401 | 403 | 404 | 405, _:
            return ProviderError(message, ours=True)
        case _:
            return ProviderError(message)


def _retry_after(exchange: Exchange) -> float:
    value = (exchange.header("retry-after") or "").strip()
    seconds = float(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0.0
    return max(_BREATHER_SECONDS, seconds)
