"""How much mail accounts send: to one address, and in all."""

from __future__ import annotations

from typing import Literal

from ogel.features.accounts.errors import AccountError
from ogel.kernel.text import pseudonym
from ogel.runtime.rates.limiter import Limiter
from ogel.runtime.rates.policy import Quota

# Whose sign-in link was mailed a moment ago may still have a new password mailed, and the other way round.
Kind = Literal["signup", "recovery", "email_change", "reauthentication"]
_TO_ADDRESS, _IN_ALL = "auth-mail-address", "auth-mail"
_EVERYBODY = "all"
_HOUR = 3600


class MailLimits:
    """
    Counts what is asked for, by address, before it is known whether somebody has that address: otherwise a refusal
    would tell. In seconds, and per hour; 0 is no limit.
    """

    def __init__(self, limiter: Limiter, seconds_between: int, to_address: int, in_all: int) -> None:
        between = [Quota(1, seconds_between)] if seconds_between else []
        self._limiter = limiter.of(
            {
                _TO_ADDRESS: (*between, *_an_hour(to_address)),
                _IN_ALL: _an_hour(in_all),
            }
        )

    async def admit(self, address: str, kind: Kind) -> None:
        """Raises AccountError `over_email_send_rate_limit`. Waits for Redis, so no transaction may be open."""
        whose = _whose(address, kind)
        verdict = await self._limiter.count(whose, _TO_ADDRESS)
        if verdict.refused_by:
            seconds = verdict.retry_after_seconds
            message = f"For security purposes, you can only request this after {seconds} seconds."
            raise _over(message, seconds)
        verdict = await self._limiter.count(_EVERYBODY, _IN_ALL)
        if verdict.refused_by:
            self._limiter.give_back_to(whose, _TO_ADDRESS)
            raise _over("email rate limit exceeded", verdict.retry_after_seconds)

    def nothing_sent(self) -> None:
        """Gives back what was counted in all. That of the address stays: nobody must see that nothing was sent."""
        self._limiter.give_back_to(_EVERYBODY, _IN_ALL)


def _an_hour(mails: int) -> tuple[Quota, ...]:
    return (Quota(mails, _HOUR),) if mails else ()


def _whose(address: str, kind: Kind) -> str:
    return f"{kind}:{pseudonym(address)}"


def _over(message: str, seconds: int) -> AccountError:
    return AccountError(429, "over_email_send_rate_limit", message, retry_after_seconds=seconds)
