"""An exchange: what the shell knows about one request while it is being answered."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from starlette.types import Scope

from ogel.kernel.ids import new_id
from ogel.kernel.principal import ANONYMOUS, Caller, Principal

if TYPE_CHECKING:
    from ogel.runtime.http.router import RouterEntry

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_USER_AGENT_CHARACTERS = 512
_KEY = "ogel.exchange"
# Where the server leaves what cuts the connection, in the ASGI scope: takes the seconds until then.
HANG_UP = "ogel.hang_up"
# The client left, or we were stopped, before an answer began (nginx's number for it).
_NO_ANSWER = 499


class Disconnected(Exception):
    """The client has gone: nobody is left to say the rest, or to be answered."""


@dataclass(slots=True)
class Exchange:
    """
    headers      as they came, by lower-case name; the first of each.
    ip           the client's, past a trusted proxy.
    user_agent   cut to 512 characters.
    place        where the path leads, once that is known.
    sent         the type of the last ASGI message that was sent; empty: none yet.
    lasting      its body or answer goes in pieces, so that how long it takes says nothing of us.
    limits       header fields of the answer, whatever it is: how much more may be asked for.
    """

    request_id: str
    headers: Mapping[bytes, bytes]
    ip: str | None
    user_agent: str | None
    principal: Principal = ANONYMOUS
    place: RouterEntry | None = None
    sent: str = ""
    limits: Sequence[tuple[bytes, bytes]] = ()
    status: int = _NO_ANSWER
    lasting: bool = False

    @property
    def template(self) -> str:
        """`/api/webhooks/{id}`, or `unmatched`: a name that no client can invent, so it may label metrics."""
        return "unmatched" if self.place is None else self.place.path

    @property
    def caller(self) -> Caller:
        return Caller(self.principal, self.request_id, self.ip, self.user_agent)


class Clients:
    """Whose address a request has."""

    def __init__(self, trusted_proxies: Sequence[Network]) -> None:
        self._trusted_proxies = trusted_proxies
        self._peer = lru_cache(maxsize=1024)(self._looked_at)

    def ip(self, scope: Scope) -> str | None:
        client = scope.get("client")
        if not client:
            return None
        peer, trusted = self._peer(client[0])
        # Only a proxy we trust may speak for someone else: anyone can write this header. X-Forwarded-For is not looked
        # at: its last entry is a hop of the proxy's own where we run, and all before it are the client's to choose.
        if trusted and (real := _address(_only(scope, b"x-real-ip"))):
            return str(real)
        return peer

    def _looked_at(self, text: str) -> tuple[str | None, bool]:
        """How its address is written, and whether it is a proxy we trust."""
        peer = _address(text)
        if peer is None:
            return None, False
        return str(peer), any(peer in network for network in self._trusted_proxies)


def open_exchange(scope: Scope, clients: Clients) -> Exchange:
    """Notes who is there, and leaves the note in the ASGI scope for everyone further in."""
    headers = dict(reversed(scope["headers"]))
    agent = headers.get(b"user-agent")
    offered = headers.get(b"x-request-id")
    exchange = Exchange(
        new_id("req") if offered is None else _request_id(str(offered, "latin-1")),
        headers,
        clients.ip(scope),
        str(agent, "latin-1")[:_USER_AGENT_CHARACTERS] if agent else None,
    )
    scope[_KEY] = exchange
    return exchange


def exchange_of(scope: Scope) -> Exchange:
    """The exchange of a request that came through the shell; stream routes take their caller from it."""
    exchange: Exchange = scope[_KEY]
    return exchange


def hang_up_soon(scope: Scope, seconds: float) -> None:
    """After so long the connection is cut, whether or not its peer has read what was sent."""
    scope[HANG_UP](seconds)


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that (lower-case) name, of a request that came through the shell."""
    value = exchange_of(scope).headers.get(name)
    return None if value is None else str(value, "latin-1")


def _request_id(offered: str) -> str:
    return offered if _REQUEST_ID.fullmatch(offered) else new_id("req")


@lru_cache(maxsize=1024)
def _address(text: str) -> Address | None:
    """On a dual-stack socket an IPv4 peer shows up as `::ffff:192.0.2.1`; to everyone else it is IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if getattr(address, "scope_id", None) is not None:
        return None  # it means something on one machine, and may be any text
    return getattr(address, "ipv4_mapped", None) or address


def _only(scope: Scope, name: bytes) -> str:
    """The value of a header that came once; empty where nobody can tell which of several is meant."""
    values = [value for each, value in scope["headers"] if each == name]
    return str(values[0], "latin-1").strip() if len(values) == 1 else ""
