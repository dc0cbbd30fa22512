"""The migrations there are, and a database that has them."""

from __future__ import annotations

from ogel.adapters.migrations import MIGRATIONS, migrate, read_migrations, wait_for_schema
from ogel.adapters.postgres import wait_for_postgres
from ogel.settings import Settings


async def ready_database(settings: Settings, migrates: bool) -> None:
    """Waits for the server, and for the schema that this version needs, or brings it there."""
    assert settings.database_url
    await wait_for_postgres(settings.database_url, settings.connect_seconds)
    migrations = read_migrations(MIGRATIONS)
    if migrates:
        await migrate(settings.database_url, migrations)
    else:
        await wait_for_schema(settings.database_url, migrations, settings.connect_seconds)
