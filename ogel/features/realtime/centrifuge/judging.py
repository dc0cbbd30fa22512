"""Rules of namespaces that change hold for subscriptions that were made before, too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from ogel.features.realtime.namespaces.service import NamespaceService
from ogel.kernel.errors import OgelError
from ogel.runtime.process.lifecycle import unless_stopped

if TYPE_CHECKING:
    from ogel.features.realtime.centrifuge.session import CentrifugeSession

log = structlog.get_logger(__name__)

# Together with the second for which rules are believed, that is how long a change may take.
LOOK_SECONDS = 0.5
_SESSIONS_AT_ONCE = 100


class Judging:
    """While there are sessions that such rules concern, they are looked at again whenever one has changed."""

    def __init__(self, namespaces: NamespaceService) -> None:
        self._namespaces = namespaces
        self._sessions: set[CentrifugeSession] = set()
        self._version = namespaces.version

    def add(self, session: CentrifugeSession) -> None:
        self._sessions.add(session)

    def remove(self, session: CentrifugeSession) -> None:
        self._sessions.discard(session)

    async def run(self, stop: asyncio.Event) -> None:
        """A service of the lifecycle."""
        await unless_stopped(self._keep_looking(), stop)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._sessions:
                continue
            try:
                rules_of = await self._namespaces.up_to_date()
            except OgelError as error:
                log.warning("realtime.rules_away", error=error.message)
                continue
            if self._version != (version := self._namespaces.version):
                for number, session in enumerate(list(self._sessions), 1):
                    session.judge(rules_of)
                    if number % _SESSIONS_AT_ONCE == 0:
                        await asyncio.sleep(0)
                self._version = version
