"""Who may still connect: places for connections in this process, for one user, from one address, and in a second."""

from __future__ import annotations

import math
import time
from collections import Counter
from functools import lru_cache
from ipaddress import ip_network

from msgspec import Struct

from ogel.kernel.errors import Unavailable
from ogel.kernel.principal import Principal

# After which a client that was turned away may try again; another process may have room at once.
_RETRY_SECONDS = 5
# A client that comes in a crowd waits so long for its turn, at most. It does not notice; a refusal it would: pages'
# EventSource does not come back after one.
MOST_WAIT_SECONDS = 5.0
_NETWORK_BITS = 64


class PlaceLimits(Struct, frozen=True):
    """
    connections  in this process.
    per_user     of one person who has signed in; keys are held by programs, whose address counts.
    per_address  from one client's address, past a trusted proxy.
    per_second   begun in a second; as many more may come at once, and others wait for their turn.
    """

    connections: int = 10_000
    per_user: int = 20
    per_address: int = 1_000
    per_second: int = 500


class Places:
    def __init__(self, limits: PlaceLimits) -> None:
        self._limits = limits
        self._count = 0
        self._of_users: Counter[str] = Counter()
        self._at_addresses: Counter[str] = Counter()
        self._tokens = float(limits.per_second)
        self._at = time.monotonic()

    def take(self, principal: Principal, address: str | None) -> float:
        """
        Takes a place for one connection, until `give_back`. Returns for how many seconds it has to wait for its turn.
        Raises Unavailable.
        """
        limits = self._limits
        if self._count >= limits.connections:
            raise Unavailable("There are too many realtime clients here.", retry_after_seconds=_RETRY_SECONDS)
        self._check_user(principal)
        site = None if address is None else _site_of(address)
        if site is not None and self._at_addresses[site] >= limits.per_address:
            raise Unavailable(
                f"There are {limits.per_address} realtime connections from your address already.",
                retry_after_seconds=_RETRY_SECONDS,
            )
        wait_seconds = self._next_turn()
        self._count += 1
        if principal.kind == "user":
            self._of_users[principal.id] += 1
        if site is not None:
            self._at_addresses[site] += 1
        return wait_seconds

    def give_back(self, principal: Principal, address: str | None) -> None:
        """Of the same two that `take` was given."""
        self._count -= 1
        if principal.kind == "user":
            _less(self._of_users, principal.id)
        if address is not None:
            _less(self._at_addresses, _site_of(address))

    def move(self, former: Principal, principal: Principal) -> None:
        """The place of one principal is another's from now on. Raises Unavailable."""
        if (former.kind, former.id) == (principal.kind, principal.id):
            return
        self._check_user(principal)
        if principal.kind == "user":
            self._of_users[principal.id] += 1
        if former.kind == "user":
            _less(self._of_users, former.id)

    def _check_user(self, principal: Principal) -> None:
        most = self._limits.per_user
        if principal.kind == "user" and self._of_users[principal.id] >= most:
            raise Unavailable(
                f"You have {most} realtime connections here already.", retry_after_seconds=_RETRY_SECONDS
            )

    def _next_turn(self) -> float:
        """By a token bucket, whose tokens may be borrowed from the seconds to come."""
        now, rate = time.monotonic(), self._limits.per_second
        self._tokens = min(rate, self._tokens + (now - self._at) * rate)
        self._at = now
        wait_seconds = max(0.0, (1 - self._tokens) / rate)
        if wait_seconds > MOST_WAIT_SECONDS:
            raise Unavailable("Too many clients are connecting.", retry_after_seconds=math.ceil(wait_seconds))
        self._tokens -= 1
        return wait_seconds


@lru_cache(maxsize=4096)
def _site_of(address: str) -> str:
    """Of IPv6 the network: whoever has one address has all that begin like it."""
    if ":" not in address:
        return address
    return str(ip_network((address, _NETWORK_BITS), strict=False))


def _less(counter: Counter[str], name: str) -> None:
    counter[name] -= 1
    if not counter[name]:
        del counter[name]
