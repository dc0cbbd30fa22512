"""`ogel migrate`"""

from __future__ import annotations

import click

from ogel import interrupts
from ogel.cli.process import event_loop, settings_of_environment
from ogel.settings import require_database


@click.command("migrate")
def command() -> None:
    """Bring the database to the schema this version needs. Safe to run twice, and from two places at once."""
    from ogel.adapters.migrations import MIGRATIONS, migrate, read_migrations
    from ogel.adapters.postgres import wait_for_postgres
    from ogel.runtime.log.setup import configure_logging

    settings = settings_of_environment()
    url = require_database(settings)
    configure_logging(settings.log_level, form=settings.log_form)
    migrations = read_migrations(MIGRATIONS)
    interrupts.raise_again()
    with event_loop() as runner:
        runner.run(wait_for_postgres(url, settings.connect_seconds))
        applied = runner.run(migrate(url, migrations))
    click.echo(f"{len(applied)} applied; the schema is at {migrations[-1].name}")
