"""The bell: a hint that a queue has work. It may be lost or rung twice; the job_queue table is the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from ogel.runtime.jobs.job import NewJob
from ogel.runtime.jobs.promises import Promise
from ogel.runtime.jobs.runner import JobRunner


class Bell(Protocol):
    """Rings across processes. `ring` never blocks and never raises: without Redis the runners poll."""

    def ring(self, queues: set[str]) -> None: ...


class Notifier:
    """Takes rings after commits: wakes a runner of this process when one has room, else rings for the others."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._runners: Mapping[str, JobRunner] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def serve(self, runners: Mapping[str, JobRunner]) -> None:
        """The runners of this process by queue; called on the event loop they run on."""
        self._runners = runners
        self._loop = asyncio.get_running_loop()

    def ring(self, queues: set[str]) -> None:
        """On the event loop, after a commit."""
        elsewhere = {queue for queue in queues if not self._wake(queue)}
        if elsewhere:
            self._bell.ring(elsewhere)

    def heard(self, queue: str) -> None:
        """From any thread: another process rang. What nobody here can take up now is rung again, for the others."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.ring, {queue})

    def has_room(self, queue: str) -> bool:
        """From any thread: whether a ring would get anything done here."""
        runner = self._runners.get(queue)
        return runner is not None and runner.has_room

    def suspended(self, suspended: bool) -> None:
        """From any thread: `rq suspend` or `rq resume` was run."""
        if self._loop is not None and not self._loop.is_closed():
            for runner in self._runners.values():
                self._loop.call_soon_threadsafe(runner.suspend, suspended)

    def promise(self, queue: str, jobs: Sequence[NewJob]) -> Promise | None:
        """On the event loop: a runner here takes them as they are written."""
        runner = self._runners.get(queue)
        return None if runner is None else runner.promise(jobs)

    def _wake(self, queue: str) -> bool:
        runner = self._runners.get(queue)
        return runner is not None and runner.wake()
