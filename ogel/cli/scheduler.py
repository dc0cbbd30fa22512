"""`ogel scheduler`"""

from __future__ import annotations

import click

from ogel.cli.process import port_option, run_process, settings_of_environment


@click.command("scheduler")
@port_option
def command(port: int | None) -> None:
    """The clock of recurring jobs. Any number may run: each tick still runs once."""
    from ogel.serving import Roles

    run_process(settings_of_environment(port), lambda _: Roles(scheduler=True))
