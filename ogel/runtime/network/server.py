"""A server outside this process, as the settings name it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from ogel.runtime.network.place import place_of_name
from ogel.runtime.server_urls.mongo import FREE
from ogel.runtime.server_urls.parts import ServerUrl, decoded

Protocol = Literal["postgresql", "redis", "mongodb", "http", "smtp", "tcp"]

_PORTS = {
    "postgresql": 5432,
    "postgres": 5432,
    "redis": 6379,
    "rediss": 6379,
    "mongodb": 27017,
    "http": 80,
    "https": 443,
    "smtp": 587,
    "smtps": 465,
    "smtp+plain": 25,
}


class NamedServer(Struct, frozen=True):
    """
    name      as people know it: `postgres`, `upstream /studio`.
    protocol  what is spoken there.
    url       with its password; never shown.
    field     of the settings, as `environ.knobs` calls it; empty: it is registered, not set.
    variable  that gave it; None: it is a default, or registered.
    told      clients are told its name, so that it has to be public: no hop of ours.
    """

    name: str
    protocol: Protocol
    url: str
    field: str = ""
    variable: str | None = None
    told: bool = False

    def __repr__(self) -> str:
        return f"NamedServer({self.name!r}, {self.protocol!r})"

    @property
    def places(self) -> Sequence[tuple[str, int]]:
        """Hosts and ports; of a socket its directory. libpq takes them from options, too."""
        url = self._parts
        port = _PORTS.get(url.scheme, 0)
        options = dict(url.options)
        if self.protocol == "postgresql":
            port = int(options.get("port", "0").partition(",")[0]) or port
            if host := options.get("host") or options.get("hostaddr"):
                return [(decoded(each) or "localhost", port) for each in host.split(",")]
        return [(decoded(host) or "localhost", given or port) for host, given in url.places]

    @property
    def is_public_hop(self) -> bool:
        """By its name alone."""
        return not self.told and any(place_of_name(host) == "public hop" for host, _ in self.places)

    def each(self) -> Sequence[NamedServer]:
        """One for each of its places, named by number where there are several."""
        url = self._parts
        if "," not in url.place:
            return [self]
        return [
            replace(self, name=f"{self.name} {number}", url=str(dataclasses.replace(url, place=place)))
            for number, place in enumerate(url.place.split(","), 1)
        ]

    @property
    def _parts(self) -> ServerUrl:
        return ServerUrl.parse(self.url, free=FREE)
