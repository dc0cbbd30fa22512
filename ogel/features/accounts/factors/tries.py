"""How many wrong codes a factor takes: a million codes of six digits are soon tried through."""

from __future__ import annotations

import math

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.factors.store import RECOVERY_CODE, FactorStore, Held
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Transaction

# Wrong codes in a row after which none is looked at for a while…
_TRIES = 5
# …which doubles each time. With six hours at last, a year of trying finds a code in one of fifty cases, and whoever
# tries must know the password already.
_FIRST_SECONDS, _MOST_SECONDS = 60, 6 * 3600


def lock_seconds(wrong_tries: int) -> int:
    """Returns for how long a factor is locked after that many wrong codes in a row; 0: not at all."""
    locks, rest = divmod(wrong_tries, _TRIES)
    if rest or not locks:
        return 0
    return min(_FIRST_SECONDS << min(locks - 1, 10), _MOST_SECONDS)


class Tries:
    """Counts on the factor itself, in the transaction that holds it: many at once are counted one by one."""

    def __init__(self, store: FactorStore, audit: AuditTrail) -> None:
        self._store = store
        self._audit = audit

    def check(self, held: Held) -> None:
        """Raises AccountError while the factor is locked."""
        if held.locked_seconds <= 0:
            return
        of_codes = held.factor_type == RECOVERY_CODE
        raise AccountError(
            429,
            "mfa_recovery_codes_locked" if of_codes else "over_request_rate_limit",
            "Too many failed verification attempts, try again later",
            retry_after_seconds=math.ceil(held.locked_seconds),
        )

    async def was_wrong(self, tx: Transaction, caller: Caller, held: Held) -> None:
        """The transaction must be committed, though what it was for has failed."""
        tries = held.wrong_tries + 1
        seconds = lock_seconds(tries)
        await self._store.was_wrong(tx, held.id, tries, seconds)
        metadata = {"type": held.factor_type, "wrong_tries": tries, "locked_seconds": seconds}
        await self._audit.record(tx, caller, "factor.refuse", "factor", str(held.id), metadata)

    async def was_right(self, tx: Transaction, held: Held) -> None:
        if held.wrong_tries:
            await self._store.was_right(tx, held.id)
