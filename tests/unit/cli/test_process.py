"""A long-running command: what it is built of, its event loop, and its end."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from ogel.cli.process import _built
from ogel.kernel.errors import ConfigError
from ogel.platform.platform import Platform
from ogel.serving import Process, Roles
from ogel.settings import NOWHERE

DEAF = """
import asyncio
from ogel.cli import process
process.CLOSE_SECONDS = 0.2

async def deaf():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

async def main():
    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    return task

with process.event_loop() as runner:
    runner.run(main())
"""


def test_a_task_that_swallows_every_cancellation_ends_with_the_process() -> None:
    finished = subprocess.run([sys.executable, "-c", DEAF], capture_output=True, text=True, timeout=60)
    assert finished.returncode == 1
    assert finished.stderr == "ogel: something did not end within 0.2 seconds, and is cut off\n"


def test_a_process_is_built_while_its_servers_start() -> None:
    both = threading.Barrier(2, timeout=30)

    def roles(platform: Platform) -> Roles:
        both.wait()
        return Roles()

    def start() -> None:
        assert (
            threading.current_thread() is threading.main_thread()
        )  # servers end with the thread that starts them
        both.wait()

    assert isinstance(_built(NOWHERE, roles, meanwhile=start), Process)


@pytest.mark.parametrize("who", ["servers", "process"])
def test_either_of_them_may_fail(who: str) -> None:
    def roles(platform: Platform) -> Roles:
        fail("process")
        return Roles()

    def fail(this: str) -> None:
        if this == who:
            raise ConfigError(f"{who} cannot be")

    with pytest.raises(ConfigError, match=f"^{who} cannot be$"):
        _built(NOWHERE, roles, meanwhile=lambda: fail("servers"))
