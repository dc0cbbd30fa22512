"""Watches what long-lived connections were opened with, keys or sessions, and tells when one of them ends."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog
from msgspec import Struct

from ogel.kernel.principal import Principal
from ogel.runtime.database.database import DatabaseAway
from ogel.runtime.http.admission import Ending
from ogel.runtime.process.lifecycle import unless_stopped

log = structlog.get_logger(__name__)

# What is watched is looked at this often, and at once when a change is announced.
LOOK_SECONDS = 0.5
# The interval for what only a cache depends on.
SELDOM_SECONDS = 30.0
# The least time between two looks, however many changes are announced.
SPACING_SECONDS = 0.2


class Seen(NamedTuple):
    """
    What a look found: why it has ended, or how long it lasts unless something happens (None: for ever), and which
    scopes it still has.
    """

    ended: Ending | None
    expires_in_seconds: float | None = None
    may: Callable[[str], bool] = lambda scope: True


GONE = Seen("revoked")


class _Watched(Struct, frozen=True, eq=False):
    scope: str
    on_end: Callable[[Ending], None]
    seldom: bool


class EndWatch(ABC):
    """
    The database says what has ended, so an announcement may come late, twice or from anyone. When something expires is
    known since the first look. Implements admission.Watch; `what` is the word for it in the log.
    """

    what: str

    def __init__(self) -> None:
        self._watched: dict[str, set[_Watched]] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._woken = asyncio.Event()
        self._told: list[Callable[[], None]] = []
        self._away = False

    @abstractmethod
    def _id_of(self, principal: Principal) -> str | None:
        """Returns by what the principal is watched; None when it cannot end."""

    @abstractmethod
    async def _ask(self, ids: Sequence[str]) -> Mapping[str, Seen]:
        """Returns what there is, by id, in one query. What is left out is gone."""

    def watch(
        self,
        principal: Principal,
        scope: str,
        on_end: Callable[[Ending], None],
        seldom: bool = False,
    ) -> Callable[[], None]:
        """See admission.Watch. With `seldom` it is enough to hear of the end within SELDOM_SECONDS."""
        id = self._id_of(principal)
        if id is None:
            return lambda: None
        each = _Watched(scope, on_end, seldom)
        self._watched.setdefault(id, set()).add(each)
        # It may have ended since it was accepted.
        self._woken.set()
        return lambda: self._forget(id, each)

    def on_news(self, tell: Callable[[], None]) -> None:
        """`tell` is called whenever something has changed, or may have."""
        self._told.append(tell)

    def look_soon(self) -> None:
        for tell in self._told:
            tell()
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        await unless_stopped(self._keep_looking(), stop)

    async def _keep_looking(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._woken.wait()
            self._woken.clear()
            await self._look()
            await asyncio.sleep(SPACING_SECONDS)

    def _pause(self) -> float | None:
        """Returns the time until the next look; None when nothing is watched."""
        if not self._watched:
            return None
        seldom = all(each.seldom for watched in self._watched.values() for each in watched)
        return (SELDOM_SECONDS if seldom else LOOK_SECONDS) - SPACING_SECONDS

    async def _look(self) -> None:
        ids = list(self._watched)
        if not ids:
            return
        try:
            found = await self._ask(ids)
        except DatabaseAway as error:
            if not self._away:
                log.warning(f"{self.what}s.not_looked_at", watched=len(ids), error=error.reason)
            self._away = True
            return
        self._away = False
        self._judge(ids, found)

    def _judge(self, ids: Sequence[str], found: Mapping[str, Seen]) -> None:
        for id in ids:
            seen = found.get(id, GONE)
            if seen.ended is not None:
                self._end(id, seen.ended)
                continue
            for each in list(self._watched.get(id, ())):
                if each.scope and not seen.may(each.scope):
                    self._forget(id, each)
                    each.on_end("revoked")
            self._expect(id, seen.expires_in_seconds)

    def _expect(self, id: str, seconds: float | None) -> None:
        if expiry := self._expiries.pop(id, None):
            expiry.cancel()
        if seconds is not None and id in self._watched:
            self._expiries[id] = asyncio.get_running_loop().call_later(seconds, self._end, id, "expired")

    def _end(self, id: str, ending: Ending) -> None:
        ended = self._watched.pop(id, ())
        self._expect(id, None)
        if ended:
            log.info(f"{self.what}.ended", id=id, reason=ending, watched=len(ended))
        for each in ended:
            each.on_end(ending)

    def _forget(self, id: str, each: _Watched) -> None:
        rest = self._watched.get(id, set())
        rest.discard(each)
        if not rest:
            self._watched.pop(id, None)
            self._expect(id, None)
