"""`ogel api`"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from ogel.cli.process import begin, event_loop, port_option, run_process, settings_of_environment
from ogel.kernel.errors import ConfigError

if TYPE_CHECKING:
    from ogel.platform.platform import Platform
    from ogel.serving import Roles
    from ogel.settings import Settings

_PARTS = ("worker", "scheduler", "realtime")
_MOST_PROCESSES = 64


@click.command("api")
@click.option(
    "--with", "parts", default="", metavar="PART[,PART…]", help=f"Embed any of {', '.join(_PARTS)}."
)
@click.option(
    "--processes",
    type=click.IntRange(1, _MOST_PROCESSES),
    default=1,
    metavar="N",
    help=f"Serve the port by N processes, 1 to {_MOST_PROCESSES}: one for each core to be used.",
)
@port_option
def command(parts: str, processes: int, port: int | None) -> None:
    """The HTTP API. It applies missing migrations at start unless OGEL_AUTO_MIGRATE is false."""
    from ogel.runtime.http.sibling import SiblingSlot

    wanted = {part.strip() for part in parts.split(",") if part.strip()}
    if unknown := wanted.difference(_PARTS):
        raise ConfigError(f"--with got {sorted(unknown)[0]!r}; it takes {', '.join(_PARTS)}")
    if processes > 1 and (alone := wanted - {"realtime"}):
        part = sorted(alone)[0]
        raise ConfigError(
            f"--processes multiplies the API alone: run `ogel {part}` beside it, not --with {part}"
        )
    settings, place = settings_of_environment(port), SiblingSlot.taken_from(os.environ)
    if processes > 1 and place is None:
        _run_siblings(settings, processes)
        return

    def roles(platform: Platform) -> Roles:
        from ogel.serving import Roles

        if place is not None:
            platform.core.process.labels["process"] = place.name
        return Roles(
            api=True,
            queues=platform.queue_names if "worker" in wanted else (),
            scheduler="scheduler" in wanted,
            realtime="realtime" in wanted,
        )

    run_process(settings, roles, place=place)


def _run_siblings(settings: Settings, processes: int) -> None:
    import asyncio

    from ogel.runtime.http.siblings import Siblings

    begin(settings)
    siblings = Siblings(settings.host or "::", settings.port, processes, settings.drain_seconds)
    with event_loop() as runner:
        code = runner.run(siblings.run(asyncio.Event()))
    if code:
        sys.exit(code)
