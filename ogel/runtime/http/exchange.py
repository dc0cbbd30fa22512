"""An exchange: what the shell knows about one request while it is being answered."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from starlette.types import Scope

from ogel.kernel.ids import new_id
from ogel.kernel.principal import ANONYMOUS, Caller, Principal

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_USER_AGENT_CHARACTERS = 512
_KEY = "ogel.exchange"
# Where the server leaves what cuts the connection, in the ASGI scope: takes the seconds until then.
HANG_UP = "ogel.hang_up"


@dataclass(slots=True)
class Exchange:
    """`ip` is the client's, past a trusted proxy; `user_agent` is cut to 512 characters."""

    request_id: str
    ip: str | None
    user_agent: str | None
    principal: Principal = ANONYMOUS

    @property
    def caller(self) -> Caller:
        return Caller(self.principal, self.request_id, self.ip, self.user_agent)


def open_exchange(scope: Scope, trusted_proxies: Sequence[Network]) -> Exchange:
    """Notes who is there, and leaves the note in the ASGI scope for everyone further in."""
    agent = header(scope, b"user-agent")
    exchange = Exchange(
        request_id=_request_id(header(scope, b"x-request-id")),
        ip=_client_ip(scope, trusted_proxies),
        user_agent=agent[:_USER_AGENT_CHARACTERS] if agent else None,
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
    """The first header of that (lower-case) name."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return None


def path_template(scope: Scope) -> str:
    """`/api/webhooks/{id}`, or `unmatched`: a name that no client can invent, so it may label metrics."""
    return getattr(scope.get("route"), "path", None) or "unmatched"


def _request_id(offered: str | None) -> str:
    return offered if offered and _REQUEST_ID.fullmatch(offered) else new_id("req")


def _client_ip(scope: Scope, trusted_proxies: Sequence[Network]) -> str | None:
    peer = _address(scope["client"][0]) if scope.get("client") else None
    if peer is None or not any(peer in network for network in trusted_proxies):
        return str(peer) if peer else None
    # Only a proxy we trust may speak for someone else: anyone can write this header.
    real = _address((header(scope, b"x-real-ip") or "").strip())
    return str(real or peer)


@lru_cache(maxsize=1024)
def _address(text: str) -> Address | None:
    """On a dual-stack socket an IPv4 peer shows up as `::ffff:192.0.2.1`; to everyone else it is IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
