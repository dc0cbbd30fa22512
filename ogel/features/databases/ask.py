"""Querying a registered database while a caller waits, with limited concurrency and a circuit breaker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from ogel.features.databases.registry.store import SealedTarget
from ogel.features.databases.registry.targets import Targets
from ogel.kernel.errors import Unavailable
from ogel.runtime.database.registered import Target, TargetError
from ogel.runtime.delivery.breaker import Breaker

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

# The most queries at once, in all and of one database; each uses a connection.
AT_ONCE, AT_ONCE_OF_ONE = 12, 4
_MOST_BREAKERS = 1_000


class Asking:
    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._asking: Counter[str] = Counter()
        self._breakers: dict[tuple[str, int], Breaker] = {}

    async def postgresql(self, key: str, question: Callable[[Target], Awaitable[Answer]]) -> Answer:
        """Raises NotFound, Invalid for a database of another type, and Unavailable with the database's error."""
        stored, target = await self._targets.postgresql(key)
        id = stored.id
        if self._asking[id] >= AT_ONCE_OF_ONE or self._asking.total() >= AT_ONCE:
            raise Unavailable("Too many questions to databases are under way.", retry_after_seconds=1)
        breaker = self._breaker(stored)
        if not breaker.try_enter():
            raise Unavailable(
                f"Database {key!r} failed again and again, and is left alone for now.",
                retry_after_seconds=max(1, round(breaker.seconds_left)),
            )
        self._asking[id] += 1
        try:
            answer = await question(target)
        except TargetError as error:
            breaker.failed()
            log.warning("database.not_asked", database=id, error=error.message)
            raise Unavailable(f"Database {key!r}: {error.message}.") from None
        except (Exception, asyncio.CancelledError):
            breaker.left()
            raise
        finally:
            self._asking[id] -= 1
            self._asking += Counter()  # leaves out those with none
        breaker.succeeded()
        return answer

    def _breaker(self, stored: SealedTarget) -> Breaker:
        """A database that was moved gets a new breaker."""
        while len(self._breakers) > _MOST_BREAKERS:
            del self._breakers[next(iter(self._breakers))]
        return self._breakers.setdefault((stored.id, stored.version), Breaker())
