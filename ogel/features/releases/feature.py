"""The manifest of releases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from ogel.features.releases.release import AppliedMigration, SchemaState, schema_state
from ogel.features.releases.settings import ReleasesSettings
from ogel.kernel.clock import utc_now
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature

if TYPE_CHECKING:
    from ogel.runtime.http.route import Route


def build(core: Core, settings: ReleasesSettings) -> Feature:
    started_at = utc_now()

    async def schema() -> SchemaState:
        from ogel.adapters.migrations import applied_migrations

        async with core.database.autocommit() as tx:
            applied = await applied_migrations(tx, AppliedMigration)
        return schema_state(_needed(), applied)

    def routes() -> Sequence[Route]:
        from ogel.features.releases.routes import ReleaseRoutes

        return ReleaseRoutes(settings, core.railway_deployment, started_at, schema).routes()

    return Feature(name="releases", routes=routes, settings=settings)


@cache
def _needed() -> Sequence[str]:
    """Of this version; the files do not change while a process runs."""
    from ogel.adapters.migrations import MIGRATIONS, read_migrations

    return [migration.name for migration in read_migrations(MIGRATIONS)]
