"""What is asked of providers while somebody signs in, within bounds of time and number; what failed is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from ogel.kernel.errors import Unavailable
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database
from ogel.runtime.identity_provider import ProviderError

# For all that is asked of a provider at one sign-in.
PROVIDER_SECONDS = 20.0
MOST_WAITING = 50

log = structlog.get_logger()

T = TypeVar("T")


class ProviderCalls:
    def __init__(self, database: Database, audit: AuditTrail) -> None:
        self._database = database
        self._audit = audit
        self._waiting = 0

    async def wait(self, provider: str, asking: Coroutine[Any, Any, T]) -> T:
        """
        Waits for what is asked of the provider; no connection to the database may be held. Raises ProviderError, and
        Unavailable when too many wait already.
        """
        if self._waiting >= MOST_WAITING:
            asking.close()
            raise Unavailable("Too many are signing in at the moment.", retry_after_seconds=1)
        self._waiting += 1
        try:
            async with asyncio.timeout(PROVIDER_SECONDS):
                return await asking
        except TimeoutError as error:
            raise ProviderError(f"it took more than {PROVIDER_SECONDS:.0f} seconds") from error
        except ProviderError as error:
            log.warning("accounts.provider_failed", provider=provider, error=str(error))
            raise
        finally:
            self._waiting -= 1

    async def failed(self, caller: Caller, provider: str, why: str) -> None:
        """Records a sign-in that came to nothing."""
        async with self._database.transaction() as tx:
            await self._audit.record(tx, caller, "auth.sign_in_failed", "identity", provider, {"why": why})


def away() -> Unavailable:
    return Unavailable("The provider cannot be asked at the moment.", retry_after_seconds=5)
