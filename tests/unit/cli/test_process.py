"""The event loop of a command, and its end."""

from __future__ import annotations

import subprocess
import sys

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
