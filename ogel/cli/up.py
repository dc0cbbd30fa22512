"""`ogel up`"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

import click

from ogel.cli.banner import Banner
from ogel.cli.process import port_option, run_process, settings_of_environment
from ogel.environ import sections
from ogel.settings import Settings

if TYPE_CHECKING:
    from ogel.adapters.embedded import EmbeddedServers
    from ogel.platform.platform import Platform
    from ogel.serving import Roles

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@click.command("up")
@port_option
def command(port: int | None) -> None:
    """Everything in one process. Without DATABASE_URL or REDIS_URL it starts its own, in OGEL_DATA_DIR."""
    settings = settings_of_environment(port)
    told = Told()
    if settings.embedded:
        _run_with_servers(settings, told)
    else:
        banner = Banner(settings)
        run_process(
            settings,
            _everything,
            beside=[("signals", told.watch), ("banner", banner.show)],
            ready=banner.ready,
        )
    sys.exit(told.exit_code)


class Told:
    """
    SIGINT and SIGTERM where no event loop listens to them: taken note of, so that nothing is left half made by an
    exception in the middle of it. Whoever waits asks.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def __call__(self) -> bool:
        return self._number is not None

    @property
    def exit_code(self) -> int:
        """SIGTERM is how a run is meant to end. 130 is what shells make of Ctrl-C."""
        return 130 if self._number == signal.SIGINT else 0

    async def watch(self, stop: asyncio.Event) -> None:
        """Ends at once when a signal came before the event loop took them over."""
        if not self():
            await stop.wait()

    def _note(self, number: int, _: FrameType | None) -> None:
        self._number = self._number or number


def _run_with_servers(settings: Settings, told: Told) -> None:
    from ogel.adapters.embedded import CalledOff, EmbeddedServers
    from ogel.runtime.log.setup import configure_logging

    configure_logging(settings.log_level, form=settings.log_form)
    prepared = EmbeddedServers.prepare(
        settings.data_dir,
        postgres=settings.database_url is None,
        redis=settings.redis_url is None,
        postgres_bin=settings.postgres_bin,
        redis_bin=settings.redis_bin,
    )
    with prepared as servers, suppress(CalledOff):
        _run(settings, servers, told)


def _run(settings: Settings, servers: EmbeddedServers, told: Told) -> None:
    from ogel.adapters.embedded import Revival

    revival, banner = Revival(servers), Banner(settings)

    def roles(platform: Platform) -> Roles:
        revival.count_in(platform.core.registry)
        platform.core.database.excuse(revival.database_fault)
        return _everything(platform)

    run_process(
        _filled(settings, servers),
        roles,
        beside=[("signals", told.watch), ("embedded servers", revival.run), ("banner", banner.show)],
        ready=banner.ready,
        meanwhile=lambda: servers.run(told),
    )


def _everything(platform: Platform) -> Roles:
    from ogel.serving import Roles

    return Roles(api=True, queues=platform.queue_names, scheduler=True, realtime=True)


def _filled(settings: Settings, servers: EmbeddedServers) -> Settings:
    """What was not set comes from the embedded servers, and is right for one machine of one's own."""
    allow_nets = settings.webhook_allow_nets
    return dataclasses.replace(
        settings.for_one_machine(sections().values()),
        database_url=settings.database_url or servers.database_url,
        redis_url=settings.redis_url or servers.redis_url,
        admin_key=settings.admin_key or servers.secret("admin_key"),
        secret=settings.secret or servers.secret("secret"),
        host=settings.host or "localhost",
        webhook_allow_nets=_LOOPBACK if allow_nets is None else allow_nets,
    )
