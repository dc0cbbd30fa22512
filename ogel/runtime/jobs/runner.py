"""The job runner: claim a batch of one queue, perform it concurrently, write the results in batches."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any

import msgspec
import structlog

from ogel.kernel.clock import utc_now
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.jobs.job import CANCELLED, DONE, MOST_RESULT_BYTES, Finished, Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.metrics import JobMetrics
from ogel.runtime.jobs.pace import Pace
from ogel.runtime.jobs.progress import Progress, heard_by
from ogel.runtime.jobs.promises import Place, Promise, claimed
from ogel.runtime.jobs.results import ResultWriter
from ogel.runtime.jobs.shares import Shares
from ogel.runtime.jobs.store import FEW, Claim, LeaseStore, Noted
from ogel.runtime.secrets.scrub import NOTHING_SECRET, Scrubber

log = structlog.get_logger(__name__)

# Without work for this long, a runner polls more slowly.
QUIET_SECONDS = 10.0
# A claim costs far more than a job in it, so no more than half of the time is spent on claims, and what comes meanwhile
# is claimed together; no later than this after the last claim began, after one of many the longer.
SPACING_SECONDS, SPACING_AFTER_MANY_SECONDS = 0.010, 0.025
MANY = 40
# What is to be tried at a later time comes due one by one: without a bell it is gathered so long.
GATHER_DUE_SECONDS = 0.02
# Jobs that take longer than this are asked about: how far they are, and whether somebody wants them to end.
TEND_SECONDS = 1.0
STOPPED = "its worker was told to stop"
LOST_WORKER = "gave up: its worker disappeared at every attempt"


@dataclass(frozen=True, slots=True)
class RunnerOptions:
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
        self._database = database
        self._kinds = {kind.name: kind for kind in kinds}
        self._options = options
        self._metrics = metrics
        # Most attempts that fail do so in the same few words.
        self._scrubbed = lru_cache(maxsize=64)(partial(options.scrub, cut=True))
        self._leases = LeaseStore(database, queue, options.lease_seconds)
        self._results = ResultWriter(self._leases, self._kinds, metrics, queue, self._let_go)
        # Claimed and not written yet; of these, so many are not performed yet.
        self._held: dict[str, Job] = {}
        self._unfinished = 0
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Those whose job was claimed here anew: on their way to an end that decides nothing.
        self._superseded: set[asyncio.Task[None]] = set()
        # Jobs that were claimed as they were written, on their way to being tasks; and what these run in.
        self._beginning: set[asyncio.Task[None]] = set()
        self._context = Context()
        self._given_up: set[str] = set()
        self._cancelled: set[str] = set()
        # What was reported since it was last written, by job.
        self._progress: dict[str, Progress] = {}
        self._shares = Shares(options.in_flight)
        self._wake = asyncio.Event()
        self._pace = Pace()
        # Places freed since the last claim, and how many of them are worth another before its time.
        self._freed = 0
        self._enough = 1
        self._freed_enough = asyncio.Event()
        # In the event loop's time: when leases were last renewed, when work was last found, when something is known
        # to be due or a key to open, when to ask again.
        self._renewed_at = -math.inf
        self._found_at = -math.inf
        self._next_due = math.inf
        self._opens_at = math.inf
        self._look_ahead_at = -math.inf
        # When to look at everything, however little seems to be due; and until when there seemed to be much.
        self._look_at_all_at = -math.inf
        self._much_until = -math.inf
        # Something due was left in the table, for want of room here or under its key: freed places are news.
        self._left_some = False
        self._suspended = False
        self._stopping = False

    def wake(self) -> bool:
        """Looks for work at once. True when this runner has room to take some now."""
        self._wake.set()
        return self.has_room

    @property
    def has_room(self) -> bool:
        """Whether it would take work now. From any thread."""
        return not self._stopping and not self._suspended and self._room() > 0

    def promise(self, jobs: Sequence[NewJob]) -> Promise | None:
        """
        To take them as they are written, without a claim: when they are few, every key of theirs has room, and nothing
        waits that would have its turn before them.
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
            place = Place(lease_id, seconds, next(places[job.key]) if job.key else 0)
            held.append(claimed(job, self._kinds[job.kind].max_attempts, place))
            self._unfinished += 1
            if job.key:
                self._shares.started(job.key, _claim_of(held[-1].job), None, now)
        return Promise(held, self._keep)

    def _keep(self, written: Sequence[Job], others: Sequence[Job]) -> None:
        now = asyncio.get_running_loop().time()
        for job in others:
            self._unfinished -= 1
            if job.key:
                self._shares.given_back(job.key, _claim_of(job), now)
        if not written:
            return
        self._held.update((job.id, job) for job in written)
        self._metrics.claimed(self.queue, written)
        if self._stopping:
            for job in written:
                self._finish(job, Outcome("postpone", STOPPED, after_seconds=0.0))
            return
        self._found_at = now
        # Not in the context of whoever published: theirs are the patience and the id of a request.
        task = asyncio.create_task(self._begin(written), context=self._context.copy())
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    async def _begin(self, jobs: Sequence[Job]) -> None:
        for name in {job.kind for job in jobs}:
            await self._start(self._kinds[name], [job for job in jobs if job.kind == name])

    def suspend(self, suspended: bool) -> None:
        """While suspended (`rq suspend`) nothing new is claimed; what is in flight goes on."""
        if suspended != self._suspended:
            log.info("runner.suspended" if suspended else "runner.resumed", queue=self.queue)
        self._suspended = suspended
        self._wake.set()

    async def run(self, stop: asyncio.Event, drain_seconds: float) -> None:
        """Works until `stop` is set, then finishes what it holds within `drain_seconds` and gives back the rest."""
        self._renewed_at = asyncio.get_running_loop().time()
        self._context = copy_context()
        renewing = asyncio.create_task(self._renew_forever())
        writing = asyncio.create_task(self._results.run())
        tending = asyncio.create_task(self._tend_forever())
        stopper = asyncio.create_task(self._wake_on(stop))
        try:
            try:
                await self._work()
            finally:
                await self._drain(drain_seconds)
        finally:
            for task in (renewing, tending, stopper):
                task.cancel()
            await asyncio.gather(renewing, tending, stopper, return_exceptions=True)
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
        # Of so many keys that several claims look at them in turn: found since the first.
        lap_found = 0
        while True:
            await self._gather(spacing)
            self._wake.clear()
            if self._stopping:  # asked after that: whoever stops us wakes us, and once
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
        Until the next claim may begin. While something is left for want of places, these are gathered: half of what is
        in flight, or what becomes free in time.
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
            self._supersede(job.id)
            self._held[job.id] = job
            self._unfinished += 1
            if job.key:
                self._shares.started(job.key, _claim_of(job), claim.limits.get(job.key), now)
        self._enough = max(1, self._unfinished // 2)
        self._metrics.claimed(self.queue, claim.jobs)
        for name, kind in self._kinds.items():
            batch = [job for job in claim.jobs if job.kind == name]
            if batch:
                await self._start(kind, batch)
        for job in claim.jobs:
            if job.kind not in self._kinds:
                error = f"no worker here knows the kind {job.kind!r}"
                self._finish(job, Outcome("postpone", error, after_seconds=30.0))
        return len(claim.jobs), claim.saw_all, claim.ends_lap

    async def _little(self, limit: int, now: float) -> Claim | None:
        """What is due, if that is little; None also when it is time to look at everything."""
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
        """All that may run was due when it looked at everything, and that was not long ago."""
        is_known = not self._left_some and now < min(self._look_at_all_at, self._opens_at)
        return is_known and now >= self._much_until and not self._perhaps_expired()

    async def _all(self, limit: int, now: float) -> Claim:
        division = self._shares.divided(now)
        # Until the answer tells: what is freed meanwhile was not free when the question was put.
        self._left_some = True
        claim = await self._leases.claim(limit, division, self._perhaps_expired())
        self._left_some = claim.left_some or any(share.busy >= share.cap for share in division.shares)
        self._opens_at = math.inf if claim.opens_in is None else now + claim.opens_in + 0.002
        self._look_at_all_at = now + self._poll(now) if claim.saw_all else -math.inf
        return claim

    def _perhaps_expired(self) -> list[str]:
        """Jobs held here whose leases may have run out, renewal having failed: not to be claimed a second time."""
        late = asyncio.get_running_loop().time() - self._renewed_at > self._options.lease_seconds * 0.6
        return list(self._held) if late else []

    def _supersede(self, job_id: str) -> None:
        """
        We stood still between two claims for longer than a lease, and get a job that is performed here. The former
        task is stopped if it may be, and its result comes too late like any other's; until then it keeps its places.
        """
        if job_id not in self._tasks:
            return  # at most its result waits to be written, and will be found to be late
        log.warning("job.claimed_again", queue=self.queue, job=job_id)
        self._stop_performing(job_id)
        task = self._tasks.pop(job_id)
        self._superseded.add(task)
        task.add_done_callback(self._superseded.discard)
        self._progress.pop(job_id, None)
        self._cancelled.discard(job_id)

    async def _start(self, kind: JobKind, batch: Sequence[Job]) -> None:
        for job in batch:
            if job.cancelled:
                self._finish(job, CANCELLED)
            elif job.attempts > job.max_attempts:
                self._finish(job, Outcome("dead", LOST_WORKER))
        batch = [job for job in batch if not job.cancelled and job.attempts <= job.max_attempts]
        try:
            found: Mapping[str, Any] | None = None
            if kind.load is not None and batch:
                async with self._database.autocommit() as tx:
                    found = await kind.load(tx, batch)
        except DatabaseAway as error:
            for job in batch:
                self._finish(job, Outcome("postpone", error.message, after_seconds=1.0))
            return
        except Exception as error:
            log.exception("job.load_failed", kind=kind.name, jobs=len(batch))
            if len(batch) == 1:
                self._finish(batch[0], Outcome("retry", _describe(error)))
                return
            # What one job breaks, the others must not pay for.
            for job in batch:
                await self._start(kind, [job])
            return
        for job in batch:
            if found is not None and job.id not in found:
                self._finish(job, DONE)
                continue
            loaded = found[job.id] if found is not None else None
            self._tasks[job.id] = asyncio.create_task(self._perform(kind, job, loaded))

    async def _perform(self, kind: JobKind, job: Job, loaded: Any) -> None:
        outcome = Outcome("retry", "cancelled from within")
        heard_by(partial(self._hear, job))
        assert kind.perform is not None
        try:
            if kind.timeout_seconds is None:
                outcome = await kind.perform(job, loaded) or DONE
            else:
                async with asyncio.timeout(kind.timeout_seconds):
                    outcome = await kind.perform(job, loaded) or DONE
            if outcome.result is not None:
                outcome = msgspec.structs.replace(outcome, result=_encoded(outcome.result))
        except DatabaseAway as error:
            outcome = Outcome("postpone", error.message, after_seconds=1.0)
        except TimeoutError:
            limit = "" if kind.timeout_seconds is None else f" within {kind.timeout_seconds:g} s"
            outcome = Outcome("retry", f"not finished{limit}")
        except asyncio.CancelledError:
            if job.id in self._given_up:
                raise  # the drain ran out, and gives the job back
            log.warning("job.cancelled", kind=kind.name, job=job.id, attempt=job.attempts)
            if job.id in self._cancelled:
                outcome = CANCELLED
        except Exception as error:
            log.exception("job.failed", kind=kind.name, job=job.id, attempt=job.attempts)
            outcome = Outcome("retry", _describe(error))
        # A task that lost its lease must not take the entry of the one that got it.
        if self._tasks.get(job.id) is asyncio.current_task():
            del self._tasks[job.id]
        self._finish(job, outcome)

    def _finish(self, job: Job, outcome: Outcome) -> None:
        """Its place is free for the next at once: until the result is written, nothing is in flight for it."""
        if outcome.error is not None:
            error = self._scrubbed(outcome.error)
            outcome = msgspec.structs.replace(outcome, error=error)
        is_superseded = self._held.get(job.id) is not job
        if not is_superseded:
            self._progress.pop(job.id, None)
            self._cancelled.discard(job.id)
        self._unfinished -= 1
        self._freed += 1
        if self._freed >= self._enough:
            self._freed_enough.set()
        if job.key:
            now, done = asyncio.get_running_loop().time(), outcome.verdict == "done"
            self._shares.ended(job.key, _claim_of(job), now, done=done, slow=outcome.slow)
        if self._left_some:
            self._wake.set()
        next_attempt_at = None
        if outcome.verdict == "retry" and job.is_last_attempt and not is_superseded:
            outcome = msgspec.structs.replace(outcome, verdict="dead", after_seconds=None)
            log.error("job.dead", kind=job.kind, job=job.id, attempts=job.attempts, error=outcome.error)
        elif outcome.verdict in ("retry", "postpone"):
            delay = outcome.after_seconds
            if delay is None:
                delay = self._kinds[job.kind].backoff.delay(job.attempts)
            next_attempt_at = utc_now() + timedelta(seconds=delay)
        self._results.add(Finished(job, outcome, next_attempt_at))

    def _let_go(self, results: Sequence[Finished]) -> None:
        """They are written: those to be tried again are waiting, and of an order the next may go."""
        self._wake_for(results)
        for job in (finished.job for finished in results):
            if self._held.get(job.id) is job:
                del self._held[job.id]
        self._metrics.in_flight(self.queue, len(self._held))
        if self._left_some or any(
            finished.job.order_key for finished in results
        ):  # which others may have waited for
            self._wake.set()

    def _wake_for(self, results: Sequence[Finished]) -> None:
        again = [finished.next_attempt_at for finished in results if finished.next_attempt_at is not None]
        if again:
            seconds = max(0.0, (min(again) - utc_now()).total_seconds())
            # Later ones are found in time by looking ahead.
            if seconds < self._options.idle_poll_seconds:
                asyncio.get_running_loop().call_later(seconds + 0.002, self._wake.set)

    def _room(self) -> int:
        """However slow the database is, results that wait for it are bounded."""
        places = self._options.in_flight
        return min(places - self._unfinished, 2 * places - len(self._held))

    async def _pause(self, now: float, found: int) -> float:
        """
        Seconds to sleep without a bell: until the next job that is due, and never longer than the poll. What waits
        for its time is asked for when nothing was found, and once per poll; our own retries wake us.
        """
        poll = self._poll(now)
        if not found or now >= min(self._look_ahead_at, self._next_due):
            seconds = await self._leases.seconds_to_next()
            # What is due already and was not claimed is another worker's, or its key is full: no reason to spin.
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

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(self._options.lease_seconds / 3)
            jobs = list(self._held.values())
            began = asyncio.get_running_loop().time()
            try:
                if jobs:
                    await self._leases.renew(jobs)
                    if began - self._renewed_at > self._options.lease_seconds:
                        await self._leave_lost(jobs)
                self._renewed_at = began
            except Exception as error:  # noqa: BLE001 - the next round tries again; without it leases would be lost
                log.warning(
                    "runner.renewal_failed",
                    queue=self.queue,
                    jobs=len(jobs),
                    error=str(error.__cause__ or error).strip(),
                )

    async def _leave_lost(self, jobs: Sequence[Job]) -> None:
        """We stood still for longer than our leases: what others took over meanwhile must not go on here as well."""
        lost = await self._leases.lost(jobs)
        # Some of them we may have claimed anew meanwhile.
        for job in (job for job in jobs if job.id in lost and self._held.get(job.id) is job):
            if self._stop_performing(job.id):
                log.warning("job.lease_lost", queue=self.queue, job=job.id)

    def _stop_performing(self, job_id: str) -> bool:
        task, job = self._tasks.get(job_id), self._held.get(job_id)
        kind = self._kinds.get(job.kind) if job is not None else None
        if task is None or kind is None or not kind.cancellable:
            return False
        coroutine = task.get_coro()
        if inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
            return False  # cancelled now, it would never begin, and never finish its job
        task.cancel()
        return True

    def _hear(self, job: Job, progress: Progress) -> None:
        if job.id in self._tasks and self._held.get(job.id) is job:
            self._progress[job.id] = progress

    async def _tend_forever(self) -> None:
        while True:
            await asyncio.sleep(TEND_SECONDS)
            try:
                await self._tend()
            except Exception as error:  # noqa: BLE001 - the next round tries again
                log.warning(
                    "runner.tending_failed", queue=self.queue, error=str(error.__cause__ or error).strip()
                )

    async def _tend(self) -> None:
        """Writes how far jobs are, and stops those that somebody has cancelled."""
        old = utc_now() - timedelta(seconds=TEND_SECONDS)
        long = [self._held[id] for id in self._tasks if id in self._held and self._held[id].claimed_at < old]
        if not long:
            return
        notes = [
            Noted(job.id, job.lease_id, self._progress.pop(job.id))
            for job in long
            if job.id in self._progress
        ]
        if notes:
            await self._leases.note_progress(notes)
        for id in await self._leases.cancelled(long):
            # Once: a second time would cut short what it does to end well.
            if id not in self._cancelled and self._stop_performing(id):
                self._cancelled.add(id)

    async def _drain(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        if self._beginning:
            await asyncio.wait(self._beginning, timeout=seconds)
        tasks = {*self._tasks.values(), *self._superseded}
        if tasks:
            log.info("runner.draining", queue=self.queue, jobs=len(tasks), seconds=seconds)
            await asyncio.wait(tasks, timeout=max(0.0, ends - loop.time()))
        late = dict(self._tasks)
        self._given_up.update(late)
        ending = [*late.values(), *self._superseded]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        # Those that answered all the same have a result on its way.
        unfinished = [self._held[id] for id in late if id in self._held and id in self._tasks]
        if unfinished:
            log.warning("runner.gave_back", queue=self.queue, jobs=len(unfinished))
            try:
                await self._leases.release(unfinished)
            except DatabaseAway as error:
                # Their leases run out by themselves; the next worker takes them then.
                log.warning("runner.release_failed", queue=self.queue, error=error.reason)


def _claim_of(job: Job) -> str:
    """Names this claim of the job: another may be under way here, too."""
    return f"{job.lease_id}/{job.id}"


def _encoded(result: Any) -> msgspec.Raw:
    """Raises ValueError for what is no JSON, or too much of it: the kind's mistake, and its attempt's end."""
    try:
        text = msgspec.json.encode(result)
    except (TypeError, msgspec.MsgspecError) as error:
        raise ValueError(f"its result is not JSON: {error}") from error
    if len(text) > MOST_RESULT_BYTES:
        raise ValueError(f"its result has {len(text)} bytes; {MOST_RESULT_BYTES} are kept at most")
    return msgspec.Raw(text)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
