"""What operators' commands work with: the platform's services without the processes that serve them."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ogel.adapters.migrations import MIGRATIONS, migrate, read_migrations
from ogel.adapters.postgres import wait_for_postgres
from ogel.kernel.principal import SERVICE, Caller, Principal
from ogel.platform.platform import Platform
from ogel.platform.schema import ready_database
from ogel.runtime.http.app import build_app
from ogel.runtime.http.credentials import KEY, Credential
from ogel.runtime.http.intake import HttpOptions
from ogel.runtime.secrets.sealed import SealedValues
from ogel.runtime.secrets.vault import Vault
from ogel.settings import NOWHERE, Settings, require_database, require_secret

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ogel.features.audit.service import AuditService
    from ogel.features.backups.feature import BackupFeature
    from ogel.features.backups.restore import Restore
    from ogel.features.jobs.service import JobService
    from ogel.features.schedules.service import ScheduleService


class Services(Platform):
    """A platform, and by name what its features offer to commands that call them in process."""

    @property
    def audit_log(self) -> AuditService:
        offered: AuditService = self.features["audit"].offers
        return offered

    @property
    def backups(self) -> BackupFeature:
        offered: BackupFeature = self.features["backups"].offers
        return offered

    @property
    def job_service(self) -> JobService:
        offered: JobService = self.features["jobs"].offers.service
        return offered

    @property
    def schedules(self) -> ScheduleService:
        offered: ScheduleService = self.features["schedules"].offers.service
        return offered

    async def tell_the_rest(self) -> None:
        """Processes hear whose sessions a command has ended before it ends itself."""
        for feature in self.features.built:
            if feature.name == "accounts":
                await feature.offers.told()


@asynccontextmanager
async def services(settings: Settings) -> AsyncIterator[Services]:
    """
    For operators' commands, which need the database and nothing else. Without Redis, workers find by polling what is
    written; without OGEL_SECRET, what is sealed cannot be read, and must not be written.
    """
    platform = _with_what_there_is(settings)
    await ready_database(settings, migrates=False)
    async with platform.servers.at_hand(rings=settings.redis_url is not None):
        try:
            yield platform
        finally:
            await platform.tell_the_rest()


@asynccontextmanager
async def api(settings: Settings, who: str) -> AsyncIterator[ASGIApp]:
    """
    What `ogel api` answers, on these services, without a socket and a line in the log for each request. Whoever sends
    any key is the principal `who`, and may do everything.
    """
    principal = Principal("system", who, frozenset({"*"}), role=SERVICE)

    async def authenticate(credential: Credential, caller: Caller) -> Principal:
        return principal

    async with services(settings) as platform:
        routes = platform.routes(everything=True)
        options = HttpOptions(max_body_bytes=settings.max_body_bytes)
        yield build_app(
            routes, [], {KEY: authenticate}, None, platform.core.probes, options, dialects=platform.dialects()
        )


def _with_what_there_is(settings: Settings) -> Services:
    return Services(
        dataclasses.replace(
            settings,
            redis_url=settings.redis_url or NOWHERE.redis_url,
            admin_key=settings.admin_key or secrets.token_urlsafe(32),
            secret=settings.secret or secrets.token_urlsafe(32),
            pool_min=1,
            pool_max=2,
        )
    )


@asynccontextmanager
async def stored_backups(settings: Settings) -> AsyncIterator[BackupFeature]:
    """Needs no database: for when there is none any more."""
    require_secret(settings)
    platform = _with_what_there_is(
        dataclasses.replace(settings, database_url=settings.database_url or NOWHERE.database_url)
    )
    try:
        yield platform.backups
    finally:
        await platform.servers.objects.close()


@asynccontextmanager
async def restoring(settings: Settings) -> AsyncIterator[tuple[BackupFeature, Restore]]:
    """Into the database of the settings, whatever its schema is."""
    from ogel.features.backups.manifest import SchemaStep
    from ogel.features.backups.restore import SchemaMigrations

    require_secret(settings)
    url = require_database(settings)
    platform = _with_what_there_is(settings)
    migrations = read_migrations(MIGRATIONS)

    async def apply(versions: Collection[int]) -> list[str]:
        return [each.name for each in await migrate(url, [m for m in migrations if m.version in versions])]

    schema = SchemaMigrations(
        [SchemaStep(each.version, each.name, each.checksum) for each in migrations], apply
    )
    restored = [statement for feature in platform.features.all() for statement in feature.restored]
    await wait_for_postgres(url, settings.connect_seconds)
    async with platform.servers.at_hand(rings=False):
        yield platform.backups, platform.backups.restore(schema, restored)


@asynccontextmanager
async def sealed_values(settings: Settings) -> AsyncIterator[SealedValues]:
    vault = Vault(require_secret(settings), settings.former_secrets)
    async with services(settings) as platform:
        columns = [column for feature in platform.features.all() for column in feature.sealed]
        yield SealedValues(platform.core.database, vault, columns)
