"""`ogel up`"""

from __future__ import annotations

import dataclasses
import ipaddress
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from ogel.cli.process import port_option, run_process, settings_of_environment
from ogel.settings import Settings

if TYPE_CHECKING:
    from ogel.platform import Platform, Roles

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@click.command("up")
@port_option
def command(port: int | None) -> None:
    """Everything in one process. Without DATABASE_URL or REDIS_URL it starts its own, in OGEL_DATA_DIR."""
    settings = settings_of_environment(port)
    with ExitStack() as stack:
        if settings.embedded:
            settings = _start_embedded(settings, stack)
        run_process(settings, _everything)


def _everything(platform: Platform) -> Roles:
    from ogel.platform import Roles

    return Roles(api=True, queues=platform.queue_names, scheduler=True, realtime=True)


def _start_embedded(settings: Settings, stack: ExitStack) -> Settings:
    from ogel.adapters.embedded import EmbeddedServers
    from ogel.adapters.embedded.credentials import kept_secret
    from ogel.runtime.logging import configure_logging

    configure_logging(settings.log_level)
    servers = EmbeddedServers.start(
        settings.data_dir,
        postgres=settings.database_url is None,
        redis=settings.redis_url is None,
        postgres_bin=settings.postgres_bin,
    )
    stack.callback(servers.stop)
    host = settings.host or "localhost"
    filled = dataclasses.replace(
        settings,
        database_url=settings.database_url or servers.database_url,
        redis_url=settings.redis_url or servers.redis_url,
        admin_key=settings.admin_key or kept_secret(settings.data_dir, "admin_key"),
        secret=settings.secret or kept_secret(settings.data_dir, "secret"),
        host=host,
        webhook_allow_nets=_LOOPBACK if settings.webhook_allow_nets is None else settings.webhook_allow_nets,
    )
    _greet(settings, filled)
    return filled


def _greet(given: Settings, settings: Settings) -> None:
    """On stderr: stdout is for the JSON log."""
    url = f"http://localhost:{settings.port}"
    key = "$OGEL_ADMIN_KEY" if given.admin_key else f"$(cat {settings.data_dir}/admin_key)"
    lines = [
        f"Ogel on {url}, with its own servers and data in {settings.data_dir}",
        f"admin key: {'OGEL_ADMIN_KEY' if given.admin_key else f'{settings.data_dir}/admin_key'}",
    ]
    if given.webhook_allow_nets is None:
        lines.append("webhooks may reach loopback addresses, because the servers are embedded")
    lines += [
        "try:",
        f"  curl -s {url}/api/health",
        f'  curl -s {url}/api/webhooks -H "Authorization: Bearer {key}" '
        '-d \'{"url":"http://localhost:9000/hook","events":["order.*"]}\'',
        f'  curl -s {url}/api/events -H "Authorization: Bearer {key}" '
        '-d \'{"type":"order.created","data":{"total":42}}\'',
    ]
    click.echo("\n".join(lines), err=True)
