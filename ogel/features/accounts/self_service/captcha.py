"""Asks hCaptcha or Turnstile whether a person has solved what it showed them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec
import structlog

from ogel.features.accounts.errors import AccountError
from ogel.kernel.errors import Unavailable
from ogel.kernel.principal import Caller
from ogel.runtime.egress import EgressError
from ogel.runtime.outgoing import Outgoing

log = structlog.get_logger(__name__)

URLS: Mapping[str, str] = {
    "hcaptcha": "https://api.hcaptcha.com/siteverify",
    "turnstile": "https://challenges.cloudflare.com/turnstile/v0/siteverify",
}
_FORM = (("content-type", "application/x-www-form-urlencoded"),)
_SECONDS = 10.0
_MOST_BYTES = 64 * 1024
_MOST_TOKEN_CHARACTERS = 8192


class _Verdict(msgspec.Struct, frozen=True):
    success: bool
    error_codes: list[str] = msgspec.field(default_factory=list, name="error-codes")


class Captcha:
    """`url` is None where nobody is asked: then everything passes."""

    def __init__(self, outgoing: Outgoing, url: str | None, secret: str) -> None:
        self._outgoing = outgoing
        self._url = url
        self._secret = secret

    async def check(self, caller: Caller, token: str | None) -> None:
        """Raises AccountError, or Unavailable while the service is away: without it nobody is believed."""
        if self._url is None:
            return
        if not token:
            raise _refused("request disallowed (no captcha_token found)")
        if len(token) > _MOST_TOKEN_CHARACTERS:
            raise _refused("request disallowed (invalid-input-response)")
        verdict = await self._ask(self._url, token, caller.ip)
        if not verdict.success:
            raise _refused(f"request disallowed ({', '.join(verdict.error_codes) or 'not solved'})")

    async def _ask(self, url: str, token: str, ip: str | None) -> _Verdict:
        fields = {"secret": self._secret, "response": token, **({"remoteip": ip} if ip else {})}
        try:
            answer = await self._outgoing.request(
                "POST",
                url,
                headers=_FORM,
                body=urlencode(fields).encode(),
                timeout_seconds=_SECONDS,
                max_body_bytes=_MOST_BYTES,
            )
            return _decoded(answer.body)
        except (EgressError, msgspec.MsgspecError) as error:
            log.warning("captcha.no_answer", error=str(error))
            raise Unavailable(
                "The captcha cannot be checked at the moment.", retry_after_seconds=5
            ) from error


def _decoded(body: bytes) -> _Verdict:
    return msgspec.json.decode(body, type=_Verdict)


def _refused(why: str) -> AccountError:
    return AccountError(400, "captcha_failed", f"captcha protection: {why}")
