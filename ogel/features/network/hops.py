"""Public hops of this process: what its settings name, looked at when it starts. Nobody is connected to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import structlog
from prometheus_client import CollectorRegistry, Gauge

from ogel.kernel.errors import ConfigError
from ogel.runtime.alerts import AlertRule, Sample
from ogel.runtime.network.server import NamedServer

log = structlog.get_logger(__name__)

SAMPLE = "network.public_hops"
RULE = AlertRule("network.public_hops", "warning", 0.0, SAMPLE, "private-network.md")


class PublicHops:
    """`found` are none where nobody wants to know of them: elsewhere than on Railway, or when they are allowed."""

    def __init__(
        self,
        servers: Sequence[NamedServer],
        choice: Literal["warn", "refuse", "allow"],
        on_railway: bool,
        registry: CollectorRegistry,
    ) -> None:
        self.found = (
            [each for each in servers if each.is_public_hop] if on_railway and choice != "allow" else []
        )
        self._refuses = choice == "refuse"
        gauge = Gauge(
            "ogel_public_hops",
            "Servers that this process reaches by a public name of Railway's.",
            registry=registry,
        )
        gauge.set(len(self.found))

    def at_start(self) -> None:
        """Raises ConfigError, or logs a line for each. To be called once, by processes that serve."""
        if self._refuses and self.found:
            raise ConfigError("\n".join(f"{_said(each)}; OGEL_PUBLIC_HOPS is refuse" for each in self.found))
        for each in self.found:
            log.warning(
                "network.public_hop",
                variable=each.variable,
                server=each.name,
                host=each.places[0][0],
                meaning="it is billed as egress, and slower; see `ogel network check`",
            )

    async def samples(self) -> Sequence[Sample]:
        return [Sample(SAMPLE, {}, float(len(self.found)))]


def _said(server: NamedServer) -> str:
    return f"{server.variable or server.name} leads to {server.places[0][0]}, which is public"
