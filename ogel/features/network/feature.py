"""The manifest of the network."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.network.hops import RULE, PublicHops
from ogel.features.network.settings import NetworkSettings
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.network.server import NamedServer

# A check opens a connection to every server.
_KEPT_SECONDS = 60.0


class NetworkFeature:
    def __init__(self, core: Core, settings: NetworkSettings) -> None:
        self._core = core
        self.hops = PublicHops(
            core.servers, settings.public_hops, core.railway_environment is not None, core.registry
        )

    def routes(self) -> Sequence[Route]:
        from ogel.adapters.databases.addresses import check_host
        from ogel.adapters.network import NetworkProber
        from ogel.features.network.checking import Checked, CheckNow, check
        from ogel.features.network.routes import routes

        prober = NetworkProber(check_host)

        async def ask() -> Checked:
            return await check(self._core.servers, self._registered, prober)

        return routes(CheckNow(ask, _KEPT_SECONDS))

    async def _registered(self) -> Sequence[NamedServer]:
        from ogel.features.databases.contract import RegisteredServers

        servers: RegisteredServers = self._core.features["databases"].offers.servers
        return await servers.named()


def build(core: Core, settings: NetworkSettings) -> Feature:
    network = NetworkFeature(core, settings)
    return Feature(
        name="network",
        routes=network.routes,
        samples=[network.hops.samples],
        alerts=[RULE],
        settings=settings,
        offers=network,
    )
