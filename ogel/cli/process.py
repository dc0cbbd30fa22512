"""What the long-running commands share: settings, logs, an event loop, and the way out."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ogel.kernel.errors import ConfigError
from ogel.settings import Settings, read_settings

if TYPE_CHECKING:
    from ogel.platform import Platform, Roles

port_option = click.option(
    "--port", type=click.IntRange(0, 65535), help="Instead of PORT; 0 takes a free one."
)


def settings_of_environment(port: int | None = None) -> Settings:
    settings = read_settings(os.environ).settings
    return settings if port is None else dataclasses.replace(settings, port=port)


def run_process(settings: Settings, choose_roles: Callable[[Platform], Roles]) -> None:
    """Runs until SIGTERM or SIGINT."""
    from ogel.platform import Platform
    from ogel.runtime.logging import configure_logging

    configure_logging(settings.log_level)
    platform = Platform(settings)
    roles = choose_roles(platform)
    with event_loop() as runner:
        runner.run(platform.run(roles, asyncio.Event()))


@contextmanager
def event_loop() -> Iterator[asyncio.Runner]:
    """uvloop where it is built, asyncio's own loop elsewhere."""
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        yield runner


def known_queues(wanted: Sequence[str], all_queues: Sequence[str]) -> list[str]:
    """In the order given, without doubles. Raises ConfigError naming the first that does not exist."""
    for queue in wanted:
        if queue not in all_queues:
            raise ConfigError(f"there is no queue {queue!r}; there are {', '.join(all_queues)}")
    return list(dict.fromkeys(wanted))
