"""How often somebody may try to sign in: from one address, and as one user."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.kernel.principal import ANONYMOUS, Caller
from ogel.kernel.text import pseudonym
from ogel.runtime.rates.limiter import Limiter, refusal
from ogel.runtime.rates.policy import Quota

_BY_ADDRESS = "sign_in"
_BY_USER = "sign_in_user"


class Tries:
    """
    Nobody is locked out: tries come back one by one. Those of a user count only while they fail, whether there is such
    a user or not, so that a refusal tells nothing.
    """

    def __init__(self, limiter: Limiter, as_user: Sequence[Quota]) -> None:
        self._by_address = limiter
        self._by_user = limiter.of({_BY_USER: tuple(as_user)})

    async def from_address(self, caller: Caller) -> None:
        """Raises RateLimited. Waits for Redis, so no transaction may be open; neither may one below."""
        verdict = await self._by_address.admit(ANONYMOUS, caller.ip, _BY_ADDRESS)
        if verdict.refused_by:
            raise refusal(verdict)

    async def as_user(self, email: str) -> None:
        """Raises RateLimited."""
        verdict = await self._by_user.count(pseudonym(email), _BY_USER)
        if verdict.refused_by:
            raise refusal(verdict)

    def did_not_fail(self, email: str) -> None:
        self._by_user.give_back_to(pseudonym(email), _BY_USER)
