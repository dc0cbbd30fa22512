"""`ogel up`"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from ogel.cli.banner import Banner
from ogel.cli.process import port_option, run_process, settings_of_environment
from ogel.kernel.errors import Unavailable
from ogel.settings import Settings, with_local_mail

if TYPE_CHECKING:
    from ogel.adapters.embedded import EmbeddedServers
    from ogel.platform import Platform
    from ogel.runtime.lifecycle import Service
    from ogel.serving import Roles

WATCH_SECONDS = 1.0

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@click.command("up")
@port_option
def command(port: int | None) -> None:
    """Everything in one process. Without DATABASE_URL or REDIS_URL it starts its own, in OGEL_DATA_DIR."""
    settings = settings_of_environment(port)
    if not settings.embedded:
        banner = Banner(settings)
        run_process(settings, _everything, beside=[("banner", banner.show)], ready=banner.ready)
        return
    from ogel.adapters.embedded import EmbeddedServers
    from ogel.runtime.logging import configure_logging

    configure_logging(settings.log_level, form=settings.log_form)
    # Until the event loop takes signals over: leave through the `with`, so that no server is left half made.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with EmbeddedServers.start(
        settings.data_dir,
        postgres=settings.database_url is None,
        redis=settings.redis_url is None,
        postgres_bin=settings.postgres_bin,
        redis_bin=settings.redis_bin,
    ) as servers:
        banner = Banner(settings)
        run_process(
            _filled(settings, servers),
            _everything,
            beside=[("embedded servers", _watch(servers)), ("banner", banner.show)],
            ready=banner.ready,
        )


def _everything(platform: Platform) -> Roles:
    from ogel.serving import Roles

    return Roles(api=True, queues=platform.queue_names, scheduler=True, realtime=True)


def _filled(settings: Settings, servers: EmbeddedServers) -> Settings:
    """What was not set comes from the embedded servers, and is right for one machine of one's own."""
    allow_nets = settings.webhook_allow_nets
    return dataclasses.replace(
        with_local_mail(settings),
        database_url=settings.database_url or servers.database_url,
        redis_url=settings.redis_url or servers.redis_url,
        admin_key=settings.admin_key or servers.secret("admin_key"),
        secret=settings.secret or servers.secret("secret"),
        host=settings.host or "localhost",
        webhook_allow_nets=_LOOPBACK if allow_nets is None else allow_nets,
    )


def _watch(servers: EmbeddedServers) -> Service:
    """A server that dies takes the process with it: whoever runs us starts us again, and the servers with us."""

    async def watch(stop: asyncio.Event) -> None:
        while not stop.is_set():
            if dead := servers.dead():
                raise Unavailable(f"the embedded {' and '.join(dead)} died; its log is in the data directory")
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCH_SECONDS):
                    await stop.wait()

    return watch
