"""Watches keys that long-lived connections were opened with, and tells when one of them ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog
from msgspec import Struct

from ogel.features.keys.store import ADMIN, KeyStore, Standing
from ogel.kernel.principal import Principal
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.http.admission import Ending
from ogel.runtime.process.lifecycle import unless_stopped

log = structlog.get_logger(__name__)

# Watched keys are checked this often, and at once when a change of a key is announced.
LOOK_SECONDS = 0.5
# The interval for keys that only a cache depends on.
SELDOM_SECONDS = 30.0
# The least time between two checks, however many changes are announced.
SPACING_SECONDS = 0.2
_DELETED = Standing([], "revoked", None)


class _WatchedKey(Struct, frozen=True, eq=False):
    scope: str
    on_end: Callable[[Ending], None]
    seldom: bool


class KeyWatch:
    """
    The database says which keys have ended, so an announcement may come late, twice or from anyone. A key's expiry is
    known since the first check. Implements admission.Watch.
    """

    def __init__(self, database: Database, store: KeyStore) -> None:
        self._database = database
        self._store = store
        self._watched: dict[str, set[_WatchedKey]] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._woken = asyncio.Event()
        self._told: list[Callable[[], None]] = []
        self._away = False

    def watch(
        self,
        principal: Principal,
        scope: str,
        on_end: Callable[[Ending], None],
        seldom: bool = False,
    ) -> Callable[[], None]:
        """See admission.Watch. With `seldom` it is enough to hear of the key's end within SELDOM_SECONDS."""
        if principal.id == ADMIN:  # the admin key is in the settings and cannot end
            return lambda: None
        each = _WatchedKey(scope, on_end, seldom)
        self._watched.setdefault(principal.id, set()).add(each)
        # It may have ended since it was accepted.
        self._woken.set()
        return lambda: self._forget(principal.id, each)

    def on_news(self, tell: Callable[[], None]) -> None:
        """`tell` is called whenever a key has changed, or may have."""
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
        """Returns the time until the next check; None when no key is watched."""
        if not self._watched:
            return None
        seldom = all(each.seldom for watched in self._watched.values() for each in watched)
        return (SELDOM_SECONDS if seldom else LOOK_SECONDS) - SPACING_SECONDS

    async def _look(self) -> None:
        """Checks all watched keys with one query."""
        ids = list(self._watched)
        if not ids:
            return
        try:
            async with self._database.autocommit() as tx:
                standings = await self._store.standings(tx, ids)
        except DatabaseAway as error:
            if not self._away:
                log.warning("keys.not_looked_at", keys=len(ids), error=error.reason)
            self._away = True
            return
        self._away = False
        self._judge(ids, standings)

    def _judge(self, ids: list[str], standings: Mapping[str, Standing]) -> None:
        for id in ids:
            standing = standings.get(id, _DELETED)
            if standing.ended is not None:
                self._end(id, standing.ended)
                continue
            principal = Principal("key", id, frozenset(standing.scopes))
            for each in list(self._watched.get(id, ())):
                if not principal.may(each.scope):
                    self._forget(id, each)
                    each.on_end("revoked")
            self._expect(id, standing.expires_in_seconds)

    def _expect(self, id: str, seconds: float | None) -> None:
        if expiry := self._expiries.pop(id, None):
            expiry.cancel()
        if seconds is not None and id in self._watched:
            self._expiries[id] = asyncio.get_running_loop().call_later(seconds, self._end, id, "expired")

    def _end(self, id: str, ending: Ending) -> None:
        ended = self._watched.pop(id, ())
        self._expect(id, None)
        if ended:
            log.info("key.ended", key=id, reason=ending, watched=len(ended))
        for each in ended:
            each.on_end(ending)

    def _forget(self, id: str, each: _WatchedKey) -> None:
        rest = self._watched.get(id, set())
        rest.discard(each)
        if not rest:
            self._watched.pop(id, None)
            self._expect(id, None)
