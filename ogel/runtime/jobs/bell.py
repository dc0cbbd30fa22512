"""The bell: a hint that a queue has work. It may be lost or rung twice; the job_queue table is the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.promises import Promise
from ogel.runtime.jobs.runner import JobRunner


class Bell(Protocol):
    """Rings for other processes. `ring` never blocks and never raises: without Redis the runners poll."""

    def ring(self, queues: set[str]) -> None: ...


class Notifier:
    """Takes rings after commits. It wakes a runner of this process that has room, or else rings for other processes."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._runners: Mapping[str, JobRunner] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def serve(self, runners: Mapping[str, JobRunner]) -> None:
        """Sets the runners of this process by queue. Call it on the event loop that they run on."""
        self._runners = runners
        self._loop = asyncio.get_running_loop()

    def ring(self, queues: set[str]) -> None:
        """Rings a queue after a commit. Call it on the event loop."""
        elsewhere = {queue for queue in queues if not self._wake(queue)}
        if elsewhere:
            self._bell.ring(elsewhere)

    def heard(self, queue: str) -> None:
        """
        Called from any thread when another process rang. If no runner here has room, it rings again for the others.
        """
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.ring, {queue})

    def has_room(self, queue: str) -> bool:
        """Whether a ring would start any work here. May be called from any thread."""
        runner = self._runners.get(queue)
        return runner is not None and runner.has_room

    def suspended(self, suspended: bool) -> None:
        """Called from any thread after `rq suspend` or `rq resume`."""
        if self._loop is not None and not self._loop.is_closed():
            for runner in self._runners.values():
                self._loop.call_soon_threadsafe(runner.suspend, suspended)

    def promise(self, queue: str, jobs: Sequence[NewJob]) -> Promise | None:
        """Asks a runner of this process to take the jobs as they are written. Call it on the event loop."""
        runner = self._runners.get(queue)
        return None if runner is None else runner.promise(jobs)

    def _wake(self, queue: str) -> bool:
        runner = self._runners.get(queue)
        return runner is not None and runner.wake()
