"""`ogel backup restore`"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import click

from ogel.cli.backup.following import Pace, settings_with_secret
from ogel.cli.given import PLACE, prompt_hidden, read_from
from ogel.cli.operator import json_option, operator, say_json, within_settings
from ogel.cli.progress import Meter
from ogel.cli.sizes import size
from ogel.cli.tables import show_fields
from ogel.cli.times import both
from ogel.kernel.errors import ConfigError
from ogel.runtime.server_urls.parts import BadUrl
from ogel.runtime.server_urls.postgres import SHAPE, clean
from ogel.settings import Settings

if TYPE_CHECKING:
    from ogel.features.backups.feature import BackupFeature
    from ogel.features.backups.manifest import BackupLocation
    from ogel.features.backups.restore import Report, Restore, Restored

_ID = re.compile(r"bak_[0-9a-z]{26}")


def _url(value: str) -> str:
    try:
        url = clean(value).url
    except BadUrl as error:
        raise click.BadParameter(f"{error}; it takes {SHAPE}") from None
    parts = urlsplit(url)
    # libpq takes one among the options, too.
    if parts.password is not None or any(name == "password" for name, _ in parse_qsl(parts.query)):
        raise click.BadParameter("a password does not belong on a command line: see --password-from")
    return url


@click.command("restore")
@click.argument("source", metavar="BACKUP|DIRECTORY")
@click.option("--into", type=_url, metavar="URL", help="The database; without it that of DATABASE_URL.")
@click.option(
    "--password-from",
    metavar=PLACE,
    help="Of --into, from a variable or the standard input; asked for on a terminal without it.",
)
@json_option
def command(source: str, into: str | None, password_from: str | None, as_json: bool) -> None:
    """
    Bring a backup into an empty database.

    BACKUP (bak_…) is one of the store, as STORAGE_BACKEND says; DIRECTORY holds a copy of one, with its manifest.json.
    Needs the OGEL_SECRET it was made with. Nothing is ever overwritten: a database that has rows is refused, and a
    restore that is broken off leaves it as empty as it was. Without DATABASE_URL the database is the embedded one of
    OGEL_DATA_DIR, while no `ogel up` runs there.
    """
    meter, pace = Meter(source), Pace()

    def tell(done: Restored) -> None:
        part, said = pace.of(done.rows, done.bytes, done.manifest.bytes)
        meter.show(part, f"{done.table}: {said}")

    async def run(opened: tuple[BackupFeature, Restore]) -> Report:
        backups, restore = opened
        return await restore.run(operator(), _place(backups, source), tell)

    from ogel.operators import restoring
    from ogel.runtime.log.setup import configure_logging

    configure_logging("warning", sys.stderr)  # before the embedded server says that it started
    if into is None and password_from is not None:
        raise click.UsageError("--password-from goes with --into")
    with _target(None if into is None else _with_password(into, password_from)) as settings:
        try:
            report = within_settings(settings, restoring, run)
        except ConfigError as error:
            if into is None:
                raise
            raise ConfigError(error.message.replace("DATABASE_URL", "--into")) from error
    meter.end()
    if as_json:
        say_json(report)
    else:
        _show(report)
        if _needs_a_new_admin_key(into):
            # Keys are in the backup; this one is not.
            click.echo("`ogel up` makes a new admin key here: see the file admin_key, or set OGEL_ADMIN_KEY")


def _needs_a_new_admin_key(into: str | None) -> bool:
    """In embedded mode it is a file, and that of the former directory may not have come along."""
    settings = settings_with_secret()
    if into is not None or not settings.embedded or settings.admin_key is not None:
        return False
    from ogel.adapters.embedded import kept_secret

    return kept_secret(settings.data_dir, "admin_key") is None


def _with_password(url: str, password_from: str | None) -> str:
    """As libpq does, PGPASSWORD is taken where nothing else is said; what is not a terminal is not asked."""
    parts = urlsplit(url)
    if password_from is not None:
        password = read_from("--password-from", password_from)
    elif "PGPASSWORD" in os.environ or not sys.stdin.isatty():
        return url
    else:
        asked = f"Password for {parts.netloc} (empty: none)"
        password = prompt_hidden(asked, default="", show_default=False)
    if not password:
        return url
    user, _, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}"))


def _place(backups: BackupFeature, source: str) -> BackupLocation:
    if _ID.fullmatch(source):
        return backups.place(source)
    path = Path(source)
    if path.name == "manifest.json":
        path = path.parent
    if not path.is_dir():
        raise click.UsageError(f"{source!r} is neither the id of a backup (bak_…) nor a directory")
    from ogel.adapters.storage.local import LocalObjects
    from ogel.features.backups.manifest import BackupLocation

    return BackupLocation(LocalObjects(path), "")


@contextmanager
def _target(into: str | None) -> Iterator[Settings]:
    settings = settings_with_secret()
    if into is not None or settings.database_url is not None:
        yield dataclasses.replace(settings, database_url=into or settings.database_url)
        return
    from ogel.adapters.embedded import EmbeddedServers, running_urls

    if running_urls(settings.data_dir)[0] is not None:
        raise ConfigError(f"`ogel up` runs in {settings.data_dir}: end it first, or say --into")
    if settings.secret is None:
        raise ConfigError(
            f"OGEL_SECRET is not set, and {settings.data_dir}/secret is not there: put the file of the former"
            " OGEL_DATA_DIR there"
        )
    with EmbeddedServers.start(settings.data_dir, redis=False, postgres_bin=settings.postgres_bin) as servers:
        yield dataclasses.replace(settings, database_url=servers.database_url)


def _show(report: Report) -> None:
    click.echo(f"{report.backup} restored in {report.seconds:g} s")
    show_fields(
        [
            ("taken", both(report.taken_at)),
            ("tables", report.tables),
            ("rows", report.rows),
            ("bytes", size(report.bytes)),
            ("schema", report.schema),
            ("migrated", ", ".join(report.migrated) or None),
            ("left in it", f"{', '.join(report.not_ours)}: no table of Ogel's" if report.not_ours else None),
        ]
    )
