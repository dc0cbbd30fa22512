"""The manifest of the gateway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ogel.features.gateway.maintenance.service import MaintenanceService
from ogel.features.gateway.settings import GatewaySettings
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature

if TYPE_CHECKING:
    from ogel.runtime.http.route import Route


def build(core: Core, settings: GatewaySettings) -> Feature:
    maintenance = MaintenanceService(core.database, core.audit, settings.maintenance)

    def routes() -> Sequence[Route]:
        from ogel.features.gateway.maintenance.routes import MaintenanceRoutes

        return MaintenanceRoutes(maintenance).routes()

    upstreams = None
    if settings.upstreams:
        from ogel.features.gateway.upstreams.mounts import UpstreamsFeature

        upstreams = UpstreamsFeature(core, settings.upstreams, core.upstreams)
    return Feature(
        name="gateway",
        routes=routes,
        dialects=tuple if upstreams is None else upstreams.dialects,
        probes=() if upstreams is None else upstreams.probes(),
        scopes={
            "gateway:read": "see whether there is maintenance",
            "gateway:write": "begin and end maintenance, and be let in during it",
            # What the setting asks of keys, so that they may have it.
            **{each.auth: f"use {each.path}" for each in settings.upstreams if each.is_for_scope},
        },
        tables=["maintenance"],
        left_out={
            "maintenance": "it is about the suite that is backed up, and not about one that is restored"
        },
        settings=settings,
        offers=maintenance,
    )
