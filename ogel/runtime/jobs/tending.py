"""Looks after the jobs held here: renews leases, writes progress, stops cancelled jobs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import timedelta

import structlog

from ogel.kernel.clock import utc_now
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.leases import LeaseStore, ProgressNoted
from ogel.runtime.jobs.performing import Performer

log = structlog.get_logger(__name__)

# Jobs that run longer than this many seconds have their progress written, and are checked for cancellation.
TEND_SECONDS = 1.0


class Tender:
    def __init__(self, performer: Performer, leases: LeaseStore, queue: str, lease_seconds: float) -> None:
        self._performer = performer
        self._leases = leases
        self._queue = queue
        self._lease_seconds = lease_seconds
        # When leases were last renewed, in the event loop's time.
        self._renewed_at = -math.inf

    async def run(self) -> None:
        """Runs until it is cancelled."""
        self._renewed_at = asyncio.get_running_loop().time()
        await asyncio.gather(self._renew_forever(), self._tend_forever())

    def perhaps_expired(self) -> list[str]:
        """
        Returns jobs held here whose leases may have expired after renewal failed. They must not be claimed a second
        time.
        """
        late = asyncio.get_running_loop().time() - self._renewed_at > self._lease_seconds * 0.6
        return list(self._performer.held) if late else []

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            jobs = list(self._performer.held.values())
            began = asyncio.get_running_loop().time()
            try:
                if jobs:
                    await self._leases.renew(jobs)
                    if began - self._renewed_at > self._lease_seconds:
                        await self.leave_lost(jobs)
                self._renewed_at = began
            except Exception as error:  # noqa: BLE001 - the next round tries again; without it leases would be lost
                log.warning(
                    "runner.renewal_failed",
                    queue=self._queue,
                    jobs=len(jobs),
                    error=str(error.__cause__ or error).strip(),
                )

    async def leave_lost(self, jobs: Sequence[Job]) -> None:
        """Stops jobs that others took over while this process stood still for longer than its leases."""
        lost = await self._leases.lost(jobs)
        # Some of them may have been claimed here again meanwhile.
        for job in (job for job in jobs if job.id in lost and self._performer.held.get(job.id) is job):
            if self._performer.stop(job.id):
                log.warning("job.lease_lost", queue=self._queue, job=job.id)

    async def _tend_forever(self) -> None:
        while True:
            await asyncio.sleep(TEND_SECONDS)
            try:
                await self.tend()
            except Exception as error:  # noqa: BLE001 - the next round tries again
                log.warning(
                    "runner.tending_failed", queue=self._queue, error=str(error.__cause__ or error).strip()
                )

    async def tend(self) -> None:
        """Writes how far jobs are, and stops those that were cancelled."""
        old = utc_now() - timedelta(seconds=TEND_SECONDS)
        long = self._performer.performed_since(old)
        if not long:
            return
        progress = self._performer.progress
        notes = [
            ProgressNoted(job.id, job.lease_id, progress.pop(job.id)) for job in long if job.id in progress
        ]
        if notes:
            await self._leases.note_progress(notes)
        for id in await self._leases.cancelled(long):
            self._performer.cancel(id)
