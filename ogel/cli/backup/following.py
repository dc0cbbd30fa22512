"""What the commands of `ogel backup` share: following one while it runs, and showing it."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import say
from ogel.cli.process import settings_of_environment
from ogel.cli.progress import LOOK_SECONDS, Meter
from ogel.cli.sizes import size
from ogel.cli.tables import show_fields
from ogel.cli.times import both, length
from ogel.kernel.errors import NotFound

if TYPE_CHECKING:
    from ogel.cli.client import Answer, Client
    from ogel.features.backups.backup import Backup
    from ogel.settings import Settings

wait_option = click.option("--wait/--no-wait", default=True, help="Until a worker has done it.")


def run(ogel: Client, begun: Answer, runs: Callable[[Backup], bool], wait: bool, as_json: bool) -> Backup:
    """Shows the backup, with `wait` only once `runs` is false. Ctrl-C ends the waiting; the worker goes on."""
    from ogel.features.backups.backup import Backup

    backup = begun.as_(Backup)
    try:
        answer = _followed(ogel, begun, runs) if wait else begun
    except KeyboardInterrupt:
        click.echo(f"\na worker goes on with it. Look: ogel backup show {backup.id}", err=True)
        sys.exit(130)
    except NotFound:
        raise NotFound(f"{backup.id} was deleted.") from None
    backup = answer.as_(Backup)
    if as_json:
        say(answer)
    else:
        show(backup)
    return backup


def _followed(ogel: Client, answer: Answer, runs: Callable[[Backup], bool]) -> Answer:
    from ogel.features.backups.backup import Backup

    backup = answer.as_(Backup)
    meter, pace = Meter(backup.id), Pace()
    while runs(backup):
        time.sleep(LOOK_SECONDS)
        answer = ogel.request("GET", f"/api/backups/{backup.id}")
        backup = answer.as_(Backup)
        if backup.status == "running" and backup.expected_bytes is None:
            meter.show(0.0, backup.error or "waits for a worker of the queue `backups`")
        elif backup.status == "running":
            meter.show(*pace.of(backup.rows, backup.bytes, backup.expected_bytes or 0))
    meter.end()
    return answer


def settings_with_secret() -> Settings:
    """Returns the settings of the environment, with the secret that embedded mode keeps where none is set."""
    settings = settings_of_environment()
    if settings.secret is not None or not settings.embedded:
        return settings
    from ogel.adapters.embedded import kept_secret

    return dataclasses.replace(settings, secret=kept_secret(settings.data_dir, "secret"))


class Pace:
    """Tells how far a backup is, and estimates the time left from its speed so far."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def of(self, rows: int, bytes: int, of_bytes: int) -> tuple[float, str]:
        seconds = time.monotonic() - self._began
        part = min(0.99, bytes / of_bytes) if of_bytes else 0.0
        left = f", {length(seconds / part - seconds)} left" if part > 0 and seconds > 1 else ""
        return part, f"{rows} rows, {size(bytes)} of about {size(of_bytes)}{left}"


def show(backup: Backup) -> None:
    size_shown = None if backup.status == "running" else f"{size(backup.size)} ({size(backup.bytes)} of rows)"
    checked = None
    if backup.verification is not None:
        error = f": {backup.verification_error}" if backup.verification_error else ""
        when = f", {both(backup.verified_at)}" if backup.verified_at else ""
        checked = f"{backup.verification}{error}{when}"
    show_fields(
        [
            ("id", backup.id),
            ("status", backup.status),
            ("note", backup.note),
            ("made by", "its schedule" if backup.scheduled else None),
            ("tables", backup.tables),
            ("rows", backup.rows),
            ("size", size_shown),
            ("error", backup.error),
            ("verification", checked),
            ("created", both(backup.created_at)),
            ("finished", None if backup.finished_at is None else both(backup.finished_at)),
        ]
    )
