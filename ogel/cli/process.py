"""What the long-running commands share: settings, logs, an event loop, and the way out."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ogel import interrupts
from ogel.environ import (
    gone_names,
    read_settings,
    read_what_can_be_read,
    secrets_of,
    sections,
    unknown_names,
)
from ogel.kernel.errors import ConfigError
from ogel.kernel.text import no_such
from ogel.settings import Settings

if TYPE_CHECKING:
    import asyncio

    from ogel.platform.platform import Platform
    from ogel.runtime.http.sibling import SiblingSlot
    from ogel.runtime.process.lifecycle import Service
    from ogel.serving import Process, Roles

OPEN_FILES = 65_536
CLOSE_SECONDS = 30.0

port_option = click.option(
    "--port", type=click.IntRange(0, 65535), help="Instead of PORT; 0 takes a free one."
)


def settings_of_environment(port: int | None = None) -> Settings:
    settings = read_settings(os.environ).settings
    return settings if port is None else dataclasses.replace(settings, port=port)


def settings_beside() -> Settings:
    """For operators' commands: without URLs, the servers and secrets of the `ogel up` that runs in OGEL_DATA_DIR."""
    settings = settings_of_environment()
    if not settings.embedded:
        return settings
    from ogel.adapters.embedded import kept_secret, running_urls

    database_url, redis_url = running_urls(settings.data_dir)
    if (settings.database_url or database_url) is None:
        raise ConfigError(
            f"DATABASE_URL is not set and no `ogel up` runs in {settings.data_dir}; set it, or OGEL_DATA_DIR, or "
            "say `ogel login URL` for a suite elsewhere"
        )
    return dataclasses.replace(
        settings.for_one_machine(sections().values()),
        database_url=settings.database_url or database_url,
        redis_url=settings.redis_url or redis_url,
        admin_key=settings.admin_key or kept_secret(settings.data_dir, "admin_key"),
        secret=settings.secret or kept_secret(settings.data_dir, "secret"),
    )


def run_process(
    settings: Settings,
    choose_roles: Callable[[Platform], Roles],
    beside: Sequence[tuple[str, Service]] = (),
    ready: Callable[[int], None] = lambda port: None,
    meanwhile: Callable[[], None] | None = None,
    place: SiblingSlot | None = None,
) -> None:
    """
    Runs until SIGTERM or SIGINT, or until one of the services `beside` the platform's own ends. `ready` is told the
    port once it is listened on and the servers have answered. `meanwhile` is done while all that the process is made
    of is imported, which takes longer than anything else in a start. `place`: it is one of several that share a port.
    """
    begin(settings, place)
    process = _built(settings, choose_roles, meanwhile)
    _keep_what_is_wired()
    import asyncio

    with event_loop() as runner:
        if place is None:
            runner.run(process.run(asyncio.Event(), beside, ready))
        else:
            beside = [*beside, ("parent", place.until_alone)]
            runner.run(process.run(asyncio.Event(), beside, place.say_ready, place.sockets))


def begin(settings: Settings, place: SiblingSlot | None = None) -> None:
    """Logs, Sentry and limits, before anything else is done."""
    interrupts.end_us()  # until the event loop listens to signals
    from ogel.runtime.log.setup import configure_logging
    from ogel.runtime.secrets.scrub import Scrubber

    scrub = Scrubber(secrets_of(settings))
    configure_logging(settings.log_level, form=settings.log_form, scrub=scrub, beside=True)
    if place is None:
        _warn_of_settings()
    else:
        import structlog

        structlog.contextvars.bind_contextvars(process=place.name)
    if settings.sentry_dsn is not None:
        from ogel.adapters.sentry import start_sentry

        start_sentry(settings.sentry_dsn, scrub)
    _allow_many_connections()


def _built(
    settings: Settings, choose_roles: Callable[[Platform], Roles], meanwhile: Callable[[], None] | None
) -> Process:
    def build() -> Process:
        from ogel.platform.platform import Platform
        from ogel.serving import Process

        platform = Platform(settings)
        return Process(platform, choose_roles(platform))

    if meanwhile is None:
        return build()
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as builder:
        building = builder.submit(build)
        meanwhile()
    return building.result()


def _warn_of_settings() -> None:
    """
    No reason to stop: the version before may need them, or the one after, or another client of the same server. Names
    only, for values may be secret.
    """
    import structlog

    log = structlog.get_logger(__name__)
    if unknown := unknown_names(os.environ):
        log.warning(
            "settings.unknown", names=unknown, meaning="nothing reads them: mistyped, or of another version"
        )
    for name, instead in gone_names(os.environ).items():
        log.warning("settings.gone", variable=name, instead=instead)
    for name, parts in read_what_can_be_read(os.environ).ignored.items():
        log.warning("settings.ignored", variable=name, parts=list(parts), meaning="they mean nothing to Ogel")


def _allow_many_connections() -> None:
    """The usual limit of 1,024 open files is less than one busy worker needs."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _keep_what_is_wired() -> None:
    """It stays for good, so the garbage collector never looks at it again. There is no garbage yet worth a look."""
    import gc

    gc.freeze()


@contextmanager
def event_loop() -> Iterator[asyncio.Runner]:
    """
    uvloop where it is built, asyncio's own loop elsewhere. What then still runs in it or in its threads is ended with
    the process, if need be.
    """
    import asyncio

    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    runner = asyncio.Runner(loop_factory=factory)
    try:
        yield runner
    finally:
        with _at_most(CLOSE_SECONDS):
            runner.close()


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """asyncio waits without a limit for tasks that swallow their cancellation, and for threads."""
    import threading

    def give_up() -> None:
        click.echo(f"ogel: something did not end within {seconds:g} seconds, and is cut off", err=True)
        import logging

        logging.shutdown()  # its last lines may say what
        os._exit(1)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def known_queues(wanted: Sequence[str], all_queues: Sequence[str]) -> list[str]:
    """In the order given, without doubles. Raises ConfigError naming the first that does not exist."""
    for queue in wanted:
        if queue not in all_queues:
            raise ConfigError(f"there is {no_such('queue', queue, all_queues)}")
    return list(dict.fromkeys(wanted))
