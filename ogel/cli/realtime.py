"""`ogel realtime`"""

from __future__ import annotations

import click

from ogel.cli.process import port_option, run_process, settings_of_environment


@click.command("realtime")
@port_option
def command(port: int | None) -> None:
    """WebSocket and SSE at /realtime/websocket and /realtime/sse."""
    from ogel.serving import Roles

    run_process(settings_of_environment(port), lambda _: Roles(realtime=True))
