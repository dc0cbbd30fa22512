"""The job runner: claim a batch of one queue, perform it concurrently, write the results in batches."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from contextvars import Context, copy_context

import structlog
from msgspec import Struct

from ogel.kernel.clock import utc_now
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.jobs.endings import EndingStore
from ogel.runtime.jobs.job import Finished, Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.leases import FEW, Claim, LeaseStore
from ogel.runtime.jobs.metrics import JobMetrics
from ogel.runtime.jobs.pace import BatchPace
from ogel.runtime.jobs.performing import Performer
from ogel.runtime.jobs.promises import LeaseSlot, Promise, claimed
from ogel.runtime.jobs.results import ResultWriter
from ogel.runtime.jobs.shares import Shares
from ogel.runtime.jobs.tending import Tender
from ogel.runtime.secrets.scrub import NOTHING_SECRET, Scrubber

log = structlog.get_logger(__name__)

# After so many seconds without work, a runner polls more slowly.
QUIET_SECONDS = 10.0
# A claim costs far more than one job in it, so at most half of the time is spent on claims, and jobs that come
# meanwhile are claimed together. The next claim begins this many seconds after the last one began, at the latest; later
# after a large one.
SPACING_SECONDS, SPACING_AFTER_MANY_SECONDS = 0.010, 0.025
MANY = 40
# Retries come due one by one. Without a ring of the bell they are gathered for this long.
GATHER_DUE_SECONDS = 0.02
STOPPED = "its worker was told to stop"


class RunnerOptions(Struct, frozen=True):
    """
    in_flight             jobs of one queue performed at once by this process; as many again may wait to be written.
    batch                 most jobs claimed by one statement.
    lease_seconds         a dead worker's jobs are someone else's after this; live ones renew it three times as often.
    busy_poll_seconds     how often to look without a bell, shortly after there was work…
    idle_poll_seconds     …and when it has been quiet.
    scrub                 what errors say is stored and shown: without secrets of ours.
    """

    in_flight: int = 500
    batch: int = 500
    lease_seconds: float = 15.0
    busy_poll_seconds: float = 1.0
    idle_poll_seconds: float = 5.0
    scrub: Scrubber = NOTHING_SECRET


class JobRunner:
    """Performs the jobs of one queue until stopped. Wake it from the event loop; it also polls."""

    def __init__(
        self,
        database: Database,
        queue: str,
        kinds: Sequence[JobKind],
        options: RunnerOptions,
        metrics: JobMetrics,
    ) -> None:
        self.queue = queue
        self._kinds = {kind.name: kind for kind in kinds}
        self._options = options
        self._metrics = metrics
        self._leases = LeaseStore(database, queue, options.lease_seconds)
        self._results = ResultWriter(EndingStore(database), self._kinds, metrics, queue, self._let_go)
        self._performer = Performer(
            database, queue, self._kinds, options.scrub, self._free, self._results.add
        )
        self._tender = Tender(self._performer, self._leases, queue, options.lease_seconds)
        # Jobs that were claimed when they were written and are not tasks yet, and the context that these tasks run in.
        self._beginning: set[asyncio.Task[None]] = set()
        self._context = Context()
        self._shares = Shares(options.in_flight)
        self._wake = asyncio.Event()
        self._pace = BatchPace()
        # Slots freed since the last claim, and how many of them justify another claim before its time.
        self._freed = 0
        self._enough = 1
        self._freed_enough = asyncio.Event()
        # In the event loop's time: when work was last found, when a job is known to come due or a key to open, when to
        # ask again.
        self._found_at = -math.inf
        self._next_due = math.inf
        self._opens_at = math.inf
        self._look_ahead_at = -math.inf
        # When to look at the whole queue, however little seems due; and until when much seemed to be due.
        self._look_at_all_at = -math.inf
        self._much_until = -math.inf
        # Due jobs were left in the table, because this runner or their key was full. Freed slots may let them run.
        self._left_some = False
        self._suspended = False
        self._stopping = False

    def wake(self) -> bool:
        """Looks for work at once. Returns whether this runner has room for some."""
        self._wake.set()
        return self.has_room

    @property
    def has_room(self) -> bool:
        """Whether it would take work now. May be called from any thread."""
        return not self._stopping and not self._suspended and self._room() > 0

    def promise(self, jobs: Sequence[NewJob]) -> Promise | None:
        """
        Promises to take jobs as they are written, without a claim. It does so when they are few, every key of theirs
        has room, and no waiting job would be due before them.
        """
        now = asyncio.get_running_loop().time()
        if not (self.has_room and self._sees_little(now)) or len(jobs) > min(FEW, self._room()):
            return None
        if any(job.order_key or job.scheduled_at is not None or job.kind not in self._kinds for job in jobs):
            return None
        places = self._shares.places(Counter(job.key for job in jobs if job.key), now)
        if places is None:
            return None
        lease_id, seconds = new_id("lease"), self._options.lease_seconds
        held = []
        for job in jobs:
            place = LeaseSlot(lease_id, seconds, next(places[job.key]) if job.key else 0)
            held.append(claimed(job, self._kinds[job.kind].max_attempts, place))
            self._performer.unfinished += 1
            if job.key:
                self._shares.started(job.key, _claim_of(held[-1].job), None, now)
        return Promise(held, self._keep)

    def _keep(self, written: Sequence[Job], others: Sequence[Job]) -> None:
        now = asyncio.get_running_loop().time()
        for job in others:
            self._performer.unfinished -= 1
            if job.key:
                self._shares.given_back(job.key, _claim_of(job), now)
        if not written:
            return
        self._performer.held.update((job.id, job) for job in written)
        self._metrics.claimed(self.queue, written)
        if self._stopping:
            for job in written:
                self._performer.finish(job, Outcome("postpone", STOPPED, after_seconds=0.0))
            return
        self._found_at = now
        # Not in the publisher's context, which holds the timeout and the id of a request.
        task = asyncio.create_task(self._begin(written), context=self._context.copy())
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    async def _begin(self, jobs: Sequence[Job]) -> None:
        for name in {job.kind for job in jobs}:
            await self._performer.start(self._kinds[name], [job for job in jobs if job.kind == name])

    def suspend(self, suspended: bool) -> None:
        """While suspended (`rq suspend`) nothing new is claimed; what is in flight goes on."""
        if suspended != self._suspended:
            log.info("runner.suspended" if suspended else "runner.resumed", queue=self.queue)
        self._suspended = suspended
        self._wake.set()

    async def run(self, stop: asyncio.Event, drain_seconds: float) -> None:
        """Runs until `stop` is set, then finishes running jobs within `drain_seconds` and gives back the rest."""
        self._context = copy_context()
        writing = asyncio.create_task(self._results.run())
        tending = asyncio.create_task(self._tender.run())
        stopper = asyncio.create_task(self._wake_on(stop))
        try:
            try:
                await self._work()
            finally:
                await self._drain(drain_seconds)
        finally:
            for task in (tending, stopper):
                task.cancel()
            await asyncio.gather(tending, stopper, return_exceptions=True)
            await self._results.close(timeout_seconds=5.0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._stopping = True
        self._wake.set()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        spacing = SPACING_SECONDS
        # Found since the first of several claims that together look at all keys, when one cannot.
        lap_found = 0
        while True:
            await self._gather(spacing)
            self._wake.clear()
            if self._stopping:  # read after the claim: whoever stops us wakes us only once
                return
            room = self._room()
            if room <= 0 or self._suspended:
                self._left_some = True
                await self._wait(self._options.busy_poll_seconds)
                continue
            claimed_at = loop.time()
            self._pace.began(claimed_at)
            try:
                found, saw_all, ends_lap = await self._claim(min(room, self._options.batch))
                self._pace.took(loop.time() - claimed_at)
                lap_found += found
                spacing = SPACING_AFTER_MANY_SECONDS if found > MANY else SPACING_SECONDS
                if found:
                    self._found_at = claimed_at
                if saw_all or (ends_lap and not lap_found):
                    await self._wait(await self._pause(claimed_at, found))
                if ends_lap:
                    lap_found = 0
            except DatabaseAway as error:
                log.warning("runner.database_away", queue=self.queue, error=error.reason)
                await self._wait(self._options.busy_poll_seconds)

    async def _gather(self, spacing: float) -> None:
        """
        Waits until the next claim may begin. While jobs are left for want of slots, it waits for slots: for half of
        those in flight, or for those that become free in time.
        """
        loop = asyncio.get_running_loop()
        if (pause := self._pace.pause(loop.time(), spacing)) > 0:
            await asyncio.sleep(pause)
        pause = self._pace.whole_pause(loop.time(), spacing)
        if self._left_some and self._freed < self._enough and pause > 0:
            self._freed_enough.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._freed_enough.wait()

    async def _claim(self, limit: int) -> tuple[int, bool, bool]:
        now = asyncio.get_running_loop().time()
        self._freed = 0
        claim = await self._little(limit, now) or await self._all(limit, now)
        for job in claim.jobs:
            self._performer.take(job)
            if job.key:
                self._shares.started(job.key, _claim_of(job), claim.limits.get(job.key), now)
        self._enough = max(1, self._performer.unfinished // 2)
        self._metrics.claimed(self.queue, claim.jobs)
        for name, kind in self._kinds.items():
            batch = [job for job in claim.jobs if job.kind == name]
            if batch:
                await self._performer.start(kind, batch)
        for job in claim.jobs:
            if job.kind not in self._kinds:
                error = f"no worker here knows the kind {job.kind!r}"
                self._performer.finish(job, Outcome("postpone", error, after_seconds=30.0))
        return len(claim.jobs), claim.saw_all, claim.ends_lap

    async def _little(self, limit: int, now: float) -> Claim | None:
        """Claims the due jobs if they are few. Returns None also when it is time to look at the whole queue."""
        if not self._sees_little(now):
            return None
        self._left_some = True
        claim = await self._leases.claim_few(limit, self._shares.divided(now))
        if claim is None:
            self._much_until = now + self._options.busy_poll_seconds
        else:
            self._left_some = False
        return claim

    def _sees_little(self, now: float) -> bool:
        """Whether the last look at the whole queue left no due job, and was recent."""
        is_known = not self._left_some and now < min(self._look_at_all_at, self._opens_at)
        return is_known and now >= self._much_until and not self._tender.perhaps_expired()

    async def _all(self, limit: int, now: float) -> Claim:
        division = self._shares.divided(now)
        # Reset before the answer comes: slots that are freed meanwhile were not free when the claim was sent.
        self._left_some = True
        claim = await self._leases.claim(limit, division, self._tender.perhaps_expired())
        self._left_some = claim.left_some or any(share.busy >= share.cap for share in division.shares)
        self._opens_at = math.inf if claim.opens_in is None else now + claim.opens_in + 0.002
        self._look_at_all_at = now + self._poll(now) if claim.saw_all else -math.inf
        return claim

    def _free(self, job: Job, outcome: Outcome) -> None:
        """Frees a job's slot for the next at once: until the result is written, nothing is in flight for it."""
        self._freed += 1
        if self._freed >= self._enough:
            self._freed_enough.set()
        if job.key:
            now, done = asyncio.get_running_loop().time(), outcome.verdict == "done"
            self._shares.ended(job.key, _claim_of(job), now, done=done, slow=outcome.slow)
        if self._left_some:
            self._wake.set()

    def _let_go(self, results: Sequence[Finished]) -> None:
        """Called when results are written: retries are waiting now, and the next job of an order may run."""
        self._wake_for(results)
        self._performer.let_go(results)
        self._metrics.in_flight(self.queue, len(self._performer.held))
        # Other jobs of the order may have waited for this one.
        if self._left_some or any(finished.job.order_key for finished in results):
            self._wake.set()

    def _wake_for(self, results: Sequence[Finished]) -> None:
        again = [finished.next_attempt_at for finished in results if finished.next_attempt_at is not None]
        if again:
            seconds = max(0.0, (min(again) - utc_now()).total_seconds())
            # Later ones are found in time by looking ahead.
            if seconds < self._options.idle_poll_seconds:
                asyncio.get_running_loop().call_later(seconds + 0.002, self._wake.set)

    def _room(self) -> int:
        """Returns the free slots. However slow the database is, the results that wait for it are bounded."""
        places = self._options.in_flight
        return min(places - self._performer.unfinished, 2 * places - len(self._performer.held))

    async def _pause(self, now: float, found: int) -> float:
        """
        Returns the seconds to sleep without a ring: until the next job is due, and never longer than the poll interval.
        The time of the next due job is asked for when nothing was found, once per poll; our own retries wake us.
        """
        poll = self._poll(now)
        if not found or now >= min(self._look_ahead_at, self._next_due):
            seconds = await self._leases.seconds_to_next()
            # A job that is due and was not claimed belongs to another worker, or its key is full; polling faster would
            # not help.
            self._next_due = now + seconds + 0.002 if seconds is not None and seconds > 0 else math.inf
            self._look_ahead_at = now + poll
        return min(poll, max(0.0, min(max(self._next_due, now + GATHER_DUE_SECONDS), self._opens_at) - now))

    def _poll(self, now: float) -> float:
        quiet = now - self._found_at > QUIET_SECONDS
        return self._options.idle_poll_seconds if quiet else self._options.busy_poll_seconds

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _drain(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        if self._beginning:
            await asyncio.wait(self._beginning, timeout=seconds)
        unfinished = await self._performer.drain(max(0.0, ends - loop.time()))
        if unfinished:
            log.warning("runner.gave_back", queue=self.queue, jobs=len(unfinished))
            try:
                await self._leases.release(unfinished)
            except DatabaseAway as error:
                # Their leases expire by themselves; then another worker claims them.
                log.warning("runner.release_failed", queue=self.queue, error=error.reason)


def _claim_of(job: Job) -> str:
    """Identifies this claim of the job, since another of it may be under way here, too."""
    return f"{job.lease_id}/{job.id}"
