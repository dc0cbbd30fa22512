"""The settings of the gateway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ogel.features.gateway.upstreams.upstream import Upstream, upstreams
from ogel.knobs import Section, flag, knob
from ogel.runtime.network.server import NamedServer


@dataclass(frozen=True, slots=True)
class GatewaySettings(Section):
    maintenance: bool = knob(
        "OGEL_MAINTENANCE",
        takes=flag(),
        default=False,
        meaning="Callers are answered 503, save operators; `ogel maintenance` does so without a restart.",
    )
    upstreams: tuple[Upstream, ...] = knob(
        "OGEL_UPSTREAMS",
        takes=upstreams(),
        default=(),
        meaning="Private services that are reached through the API, by their path: docs/gateway.md.",
    )

    def servers(self) -> Sequence[NamedServer]:
        return [
            NamedServer(f"upstream {each.path}", "http", each.url, "upstreams")
            for each in self.upstreams
            if each.url is not None
        ]
