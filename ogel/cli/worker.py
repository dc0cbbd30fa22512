"""`ogel worker`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.process import known_queues, port_option, run_process, settings_of_environment
from ogel.kernel.errors import ConfigError

if TYPE_CHECKING:
    from ogel.platform.platform import Platform
    from ogel.serving import Roles


@click.command("worker")
@click.argument("queues", nargs=-1, metavar="[QUEUE[,QUEUE…]]…")
@click.option("--all", "every", is_flag=True, help="Serve every queue there is.")
@port_option
def command(queues: tuple[str, ...], every: bool, port: int | None) -> None:
    """Background workers for the queues you name; without any, those of WORKER_QUEUES."""
    settings = settings_of_environment(port)
    named = [queue.strip() for group in queues for queue in group.split(",") if queue.strip()]
    wanted = named or list(settings.worker_queues)
    if every and named:
        raise ConfigError("name queues or say --all, not both")
    if not every and not wanted:
        raise ConfigError("no queue named: say `ogel worker webhooks,audit`, --all, or set WORKER_QUEUES")

    def roles(platform: Platform) -> Roles:
        from ogel.serving import Roles

        return Roles(queues=platform.queue_names if every else known_queues(wanted, platform.queue_names))

    run_process(settings, roles)
