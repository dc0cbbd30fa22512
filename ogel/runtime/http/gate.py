"""The gate behind admission: what holds up a caller who would be let in, maintenance or the place they call from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Protocol

from msgspec import Struct

from ogel.kernel.errors import Forbidden, Unavailable
from ogel.runtime.http.access import Access
from ogel.runtime.http.exchange import Exchange, Network

# Who may end the maintenance is let in during it.
OPERATES = "gateway:write"


class Notice(Struct, frozen=True):
    """What callers are told during maintenance."""

    message: str
    retry_after_seconds: int


class Maintenance(Protocol):
    async def notice(self) -> Notice | None:
        """
        Returns what to say while there is maintenance; None: there is none. Known for less than a second, so that it
        waits for the database no more often than that.
        """


class Gate:
    """
    admin_networks  from where those may come who may everything: the admin key, and keys with the scope `*`. Empty:
                    from everywhere.
    maintenance     None: there never is any.
    """

    def __init__(
        self, admin_networks: Sequence[Network] = (), maintenance: Maintenance | None = None
    ) -> None:
        self._admin_networks = admin_networks
        self._maintenance = maintenance
        self._holds = lru_cache(maxsize=1024)(self._looked_up)

    async def check(self, access: Access, exchange: Exchange) -> None:
        """Raises Forbidden, or Unavailable during maintenance."""
        principal = exchange.principal
        if self._admin_networks and "*" in principal.scopes and not self._holds(exchange.ip):
            raise Forbidden("Who may everything is not let in from this address.")
        if self._maintenance is None or access.always or principal.may(OPERATES):
            return
        notice = await self._maintenance.notice()
        if notice is not None:
            exchange.rate = ""  # what is announced is no failure
            raise Unavailable(notice.message, retry_after_seconds=notice.retry_after_seconds)

    def _looked_up(self, ip: str | None) -> bool:
        """An unknown address is in no network."""
        if ip is None:
            return False
        address = ip_address(ip)
        return any(address in network for network in self._admin_networks)
