"""Checks every server side by side: where it is, how it is spoken to, how far away it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from msgspec import Struct

from ogel.kernel.clock import utc_now
from ogel.runtime.network.place import PRIVATE_SUFFIX
from ogel.runtime.network.probing import Probed, Prober
from ogel.runtime.network.server import NamedServer

# Registered databases are read before they are probed, while the others are.
REGISTRY_SECONDS = 4.0
MOST_SERVERS = 200

# Registered databases: none of them is in the settings. Raises OgelError.
Registered = Callable[[], Awaitable[Sequence[NamedServer]]]


class Checked(Struct, frozen=True):
    """
    servers      each place of each server, public hops first.
    public_hops  how many of them are public hops.
    unanswered   how many could not be asked.
    inside       whether names of the private network are known here; None: there was none to look up.
    notes        what could not be seen.
    """

    servers: Sequence[Probed]
    public_hops: int
    unanswered: int
    inside: bool | None
    notes: Sequence[str]
    checked_at: datetime


async def check(named: Sequence[NamedServer], registered: Registered, prober: Prober) -> Checked:
    """Within REGISTRY_SECONDS and the PROBE_SECONDS of one probe."""
    notes: list[str] = []

    async def probed(servers: Sequence[NamedServer]) -> list[Probed]:
        places = [place for server in servers for place in server.each()]
        if len(places) > MOST_SERVERS:
            notes.append(f"{len(places) - MOST_SERVERS} more were left out")
        return await asyncio.gather(*(prober.probe(each) for each in places[:MOST_SERVERS]))

    async def registry() -> Sequence[NamedServer]:
        try:
            async with asyncio.timeout(REGISTRY_SECONDS):
                return await registered()
        except TimeoutError:
            notes.append("registered databases were not looked at: Postgres did not answer in time")
        except Exception as error:  # noqa: BLE001 - the database is what is being checked, and may answer anything
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            notes.append(f"registered databases were not looked at: {reason}")
        return []

    async def of_registry() -> list[Probed]:
        return await probed(await registry())

    ours, theirs = await asyncio.gather(probed(named), of_registry())
    found = sorted([*ours, *theirs], key=lambda each: each.place != "public hop")
    private = [each for each in found if each.host.endswith(PRIVATE_SUFFIX)]
    return Checked(
        found,
        public_hops=sum(each.place == "public hop" for each in found),
        unanswered=sum(each.error is not None for each in found),
        inside=any(each.v4 or each.v6 for each in private) if private else None,
        notes=notes,
        checked_at=utc_now(),
    )


class CheckNow:
    """For requests: one check at a time, whoever asks; its answer is good for `kept_seconds`."""

    def __init__(self, ask: Callable[[], Awaitable[Checked]], kept_seconds: float) -> None:
        self._ask = ask
        self._kept_seconds = kept_seconds
        self._asking = asyncio.Lock()
        self._last: Checked | None = None

    async def look(self) -> Checked:
        async with self._asking:
            if self._last is None or self._is_old(self._last):
                self._last = await self._ask()
            return self._last

    def _is_old(self, checked: Checked) -> bool:
        return (utc_now() - checked.checked_at).total_seconds() > self._kept_seconds
