"""`ogel api`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ogel.cli.process import port_option, run_process, settings_of_environment
from ogel.kernel.errors import ConfigError

if TYPE_CHECKING:
    from ogel.platform import Platform
    from ogel.serving import Roles

_PARTS = ("worker", "scheduler", "realtime")


@click.command("api")
@click.option(
    "--with", "parts", default="", metavar="PART[,PART…]", help=f"Embed any of {', '.join(_PARTS)}."
)
@port_option
def command(parts: str, port: int | None) -> None:
    """The HTTP API. It applies missing migrations at start unless OGEL_AUTO_MIGRATE is false."""
    wanted = {part.strip() for part in parts.split(",") if part.strip()}
    if unknown := wanted.difference(_PARTS):
        raise ConfigError(f"--with got {sorted(unknown)[0]!r}; it takes {', '.join(_PARTS)}")

    def roles(platform: Platform) -> Roles:
        from ogel.serving import Roles

        return Roles(
            api=True,
            queues=platform.queue_names if "worker" in wanted else (),
            scheduler="scheduler" in wanted,
            realtime="realtime" in wanted,
        )

    run_process(settings_of_environment(port), roles)
