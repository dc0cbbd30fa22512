"""One place of a server: looked up, spoken to and measured, within its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from importlib import import_module

from msgspec.structs import replace

from ogel.adapters.network.conversation import Conversation, Unanswered
from ogel.adapters.network.names import Resolved, resolve
from ogel.runtime.database.registered import HostRefused
from ogel.runtime.network.place import Place, place_of
from ogel.runtime.network.probing import PINGS, PROBE_SECONDS, Probed
from ogel.runtime.network.server import NamedServer

# Of a server that is far away, as many round trips as there is time for.
_PING_SECONDS = 2.5
_CLOSE_SECONDS = 0.5
# By protocol, the module and what of it begins a conversation; imported when there is such a server.
_SPEAKERS = {
    "postgresql": ("postgresql", "begin"),
    "redis": ("redis", "begin"),
    "mongodb": ("mongodb", "begin"),
    "http": ("streams", "begin_http"),
    "smtp": ("streams", "begin_smtp"),
    "tcp": ("streams", "begin_tcp"),
}
_NOT_LOOKED_UP = Resolved()
Begin = Callable[[NamedServer, Sequence[str]], Awaitable[Conversation]]


class NetworkProber:
    """Implements Prober. `vet` raises HostRefused for an address that no registered server may have."""

    def __init__(self, vet: Callable[[str], None]) -> None:
        self._vet = vet

    async def probe(self, server: NamedServer) -> Probed:
        """See Prober."""
        host, port = server.places[0]
        found = Probed(
            name=server.name,
            protocol=server.protocol,
            variable=server.variable,
            host=host,
            port=port,
            place=_place(server, host),
        )
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                names = _NOT_LOOKED_UP if _is_looked_up_by_driver(server) else await resolve(host)
                found = replace(
                    found,
                    place=_place(server, host, names),
                    alias=names.alias,
                    v4=names.v4,
                    v6=names.v6,
                )
                return await self._spoken_to(server, found, names)
        except Unanswered as error:
            return replace(found, error=str(error))
        except TimeoutError:
            return replace(found, error=f"no answer within {PROBE_SECONDS:g} s")
        except Exception as error:  # noqa: BLE001 - whatever a driver raises, the others are shown; it may hold secrets
            return replace(found, error=f"it could not be asked: {type(error).__name__}")

    async def _spoken_to(self, server: NamedServer, found: Probed, names: Resolved) -> Probed:
        pinned: Sequence[str] = ()
        if not server.field:
            # Whoever registers databases chooses its name: it leads to what was looked at, and nowhere else.
            pinned = names.addresses
            try:
                for address in pinned:
                    self._vet(address)
            except HostRefused:
                raise Unanswered(
                    "this host is not allowed: it leads to a link-local or metadata address"
                ) from None
        began = time.perf_counter()
        conversation = await _speaker(server.protocol)(server, pinned)
        handshake = time.perf_counter() - began
        try:
            times = await _pings(conversation)
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await conversation.close()
        return replace(
            found,
            tls=conversation.tls,
            pooler=conversation.pooler,
            version=conversation.version,
            handshake_ms=_ms(handshake),
            p50_ms=_ms(_share(times, 0.50)),
            p99_ms=_ms(_share(times, 0.99)),
            pings=len(times),
        )


def _place(server: NamedServer, host: str, names: Resolved = _NOT_LOOKED_UP) -> Place:
    found = place_of(host, names.addresses, names.alias)
    return "elsewhere" if server.told and found == "public hop" else found


async def _pings(conversation: Conversation) -> list[float]:
    """One after the other. A server may end the conversation: then those count that it answered. Raises Unanswered."""
    times: list[float] = []
    end = time.perf_counter() + _PING_SECONDS
    while len(times) < PINGS and (began := time.perf_counter()) < end:
        try:
            await conversation.ping()
        except Unanswered:
            if not times:
                raise
            break
        times.append(time.perf_counter() - began)
    return sorted(times)


def _share(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _is_looked_up_by_driver(server: NamedServer) -> bool:
    """By SRV, which names the hosts; the name itself has no address."""
    return server.url.startswith("mongodb+srv:")


def _speaker(protocol: str) -> Begin:
    module, name = _SPEAKERS[protocol]
    begin: Begin = getattr(import_module(f"ogel.adapters.network.{module}"), name)
    return begin
