"""What a host's name stands for: its addresses of both kinds, and the name behind an alias."""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import socket
import threading
from collections.abc import Sequence

from msgspec import Struct

from ogel.adapters.network.conversation import Unanswered
from ogel.runtime.network.server import NamedServer
from ogel.runtime.server_urls.parts import ServerUrl

LOOK_UP_SECONDS = 6.0
Found = list[tuple[int, str, str]]


class Resolved(Struct, frozen=True):
    v4: tuple[str, ...] = ()
    v6: tuple[str, ...] = ()
    alias: str | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        return (*self.v6, *self.v4)


async def resolve(host: str) -> Resolved:
    """Of a socket's directory nothing. Raises Unanswered."""
    if host.startswith("/"):
        return Resolved()
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            found = await _look_up(host)
    except TimeoutError:
        raise Unanswered(f"its name was not looked up within {LOOK_UP_SECONDS:g} s") from None
    except (OSError, UnicodeError) as error:
        reason = (error.strerror or "no address") if isinstance(error, OSError) else "no host name"
        raise Unanswered(f"its name cannot be looked up: {reason}") from None
    v4 = tuple(dict.fromkeys(address for family, address, _ in found if family == socket.AF_INET))
    v6 = tuple(dict.fromkeys(address for family, address, _ in found if family == socket.AF_INET6))
    alias = next((name for *_, name in found if name), host).removesuffix(".").lower()
    is_other = alias != host.removesuffix(".").lower() and not _is_address(alias)
    return Resolved(v4, v6, alias if is_other else None)


def pinned(url: ServerUrl, server: NamedServer, addresses: Sequence[str], *, verifies: bool) -> str:
    """
    The URL with the first of these addresses in place of the name, for clients that would look it up anew. Where a
    certificate proves the name, it stays: what it leads to by then does no harm.
    """
    if not addresses or verifies:
        return server.url
    address = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    return str(dataclasses.replace(url, place=f"{address}:{server.places[0][1]}"))


async def _look_up(host: str) -> Found:
    """In a thread that does not hold up the end of the process, however long the C library waits."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Found] = loop.create_future()

    def settle(found: Found, error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(found)
        else:
            future.set_exception(error)

    def run() -> None:
        found: Found = []
        failure: Exception | None = None
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
            found = [(family, str(address[0]), name) for family, _, _, name, address in answers]
        except Exception as error:  # noqa: BLE001 - it is carried to whoever waits, not handled here
            failure = error
        try:
            loop.call_soon_threadsafe(settle, found, failure)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    threading.Thread(target=run, name="network names", daemon=True).start()
    return await future


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True
