"""An exchange: what the shell knows about one request while it is being answered."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from starlette.types import Scope

from ogel.kernel.ids import new_id
from ogel.kernel.principal import ANONYMOUS, Caller, Principal

if TYPE_CHECKING:
    from ogel.runtime.http.router import RouterEntry
    from ogel.runtime.rates.policy import RateClass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_USER_AGENT_CHARACTERS = 512
_KEY = "ogel.exchange"
# A client that has closed its sending side may still read, or may have gone. Pending requests are answered for this
# long, or until a write fails.
GONE_SECONDS = 1.0
# A key of the ASGI messages that begin an answer (`http.response.start`, `websocket.accept`): the `Successor` that
# takes the connection over behind the head. Nothing is sent by ASGI after it.
TAKEN_BY = "ogel.taken_by"
# nginx's status for a request whose client left, or that was cancelled, before the response began.
_NO_ANSWER = 499


class Disconnected(Exception):
    """The client has gone: nothing more can be read from it or sent to it."""


class Exchange(Struct):
    """
    headers      as they came, by lower-case name; the first of each.
    ip           the client's, past a trusted proxy.
    user_agent   cut to 512 characters.
    secure       the client came to a trusted proxy by https.
    passed_on    the answer is another server's, with headers that are its own business.
    place        where the path leads, once that is known.
    sent         the type of the last ASGI message that was sent; empty: none yet.
    lasting      its body or answer goes in pieces, so that how long it takes says nothing of us.
    limits       header fields of the answer, whatever it is: how much more may be asked for.
    rate         the class of what is asked for, by which it counts; empty: nothing is there, or there is maintenance.
    """

    request_id: str
    headers: Mapping[bytes, bytes]
    ip: str | None
    user_agent: str | None
    secure: bool = False
    passed_on: bool = False
    principal: Principal = ANONYMOUS
    place: RouterEntry | None = None
    sent: str = ""
    limits: Sequence[tuple[bytes, bytes]] = ()
    status: int = _NO_ANSWER
    lasting: bool = False
    rate: RateClass | Literal[""] = ""

    @property
    def template(self) -> str:
        """
        The path's template, `/api/webhooks/{id}`, or `unmatched`. Clients cannot make up new ones, so it may label
        metrics.
        """
        return "unmatched" if self.place is None else self.place.path

    @property
    def caller(self) -> Caller:
        return Caller(self.principal, self.request_id, self.ip, self.user_agent)


class Clients:
    """Finds the address of a request's client, and whether it came by https."""

    def __init__(self, trusted_proxies: Sequence[Network]) -> None:
        self._trusted_proxies = trusted_proxies
        self._peer = lru_cache(maxsize=1024)(self._looked_at)

    def ip(self, scope: Scope) -> str | None:
        client = scope.get("client")
        if not client:
            return None
        peer, trusted = self._peer(client[0])
        # Only trusted proxies may name another address, because any client can send this header. X-Forwarded-For is not
        # used: on our platform its last entry is the proxy's own hop, and clients choose all entries before it.
        if trusted and (real := _address(_only(scope, b"x-real-ip"))):
            return str(real)
        return peer

    def is_secure(self, scope: Scope) -> bool:
        """Only a trusted proxy knows: to us all speak plain HTTP, and any client can send this header."""
        client = scope.get("client")
        if not client or not self._peer(client[0])[1]:
            return False
        return _only(scope, b"x-forwarded-proto").lower() == "https"

    def _looked_at(self, text: str) -> tuple[str | None, bool]:
        """Returns the address in its canonical form, and whether it is a trusted proxy."""
        peer = _address(text)
        if peer is None:
            return None, False
        return str(peer), any(peer in network for network in self._trusted_proxies)


def open_exchange(scope: Scope, clients: Clients) -> Exchange:
    """Makes the exchange and stores it in the ASGI scope, for everything further in."""
    headers = dict(reversed(scope["headers"]))
    agent = headers.get(b"user-agent")
    offered = headers.get(b"x-request-id")
    exchange = Exchange(
        new_id("req") if offered is None else _request_id(str(offered, "latin-1")),
        headers,
        clients.ip(scope),
        str(agent, "latin-1")[:_USER_AGENT_CHARACTERS] if agent else None,
        b"x-forwarded-proto" in headers and clients.is_secure(scope),
    )
    scope[_KEY] = exchange
    return exchange


def exchange_of(scope: Scope) -> Exchange:
    """Returns the exchange of a request that came through the shell. Streams read their caller from it."""
    exchange: Exchange = scope[_KEY]
    return exchange


def header(scope: Scope, name: bytes) -> str | None:
    """Returns the first header of that lower-case name; for requests that came through the shell."""
    value = exchange_of(scope).headers.get(name)
    return None if value is None else str(value, "latin-1")


def _request_id(offered: str) -> str:
    return offered if _REQUEST_ID.fullmatch(offered) else new_id("req")


@lru_cache(maxsize=1024)
def _address(text: str) -> Address | None:
    """Normalizes an address: on a dual-stack socket an IPv4 peer appears as `::ffff:192.0.2.1`."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if getattr(address, "scope_id", None) is not None:
        return None  # a zone id has a meaning on one machine only, and may be any text
    return getattr(address, "ipv4_mapped", None) or address


def _only(scope: Scope, name: bytes) -> str:
    """
    Returns the value of a header that was sent exactly once; otherwise the empty string, as it would be ambiguous.
    """
    values = [value for each, value in scope["headers"] if each == name]
    return str(values[0], "latin-1").strip() if len(values) == 1 else ""
