"""Performs jobs, from their claim until their results are written."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

import msgspec
import structlog

from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.jobs.job import CANCELLED, DONE, MOST_RESULT_BYTES, Finished, Job, Outcome
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.progress import JobProgress, heard_by
from ogel.runtime.secrets.scrub import Scrubber

log = structlog.get_logger(__name__)

LOST_WORKER = "gave up: its worker disappeared at every attempt"


class Performer:
    """
    held        jobs that were claimed here and are not written yet; of these, so many are `unfinished`.
    tasks       those of them that are being performed.
    superseded  tasks whose job was claimed here anew: on their way to an end that decides nothing.
    progress    what was reported since it was last written, by job.
    """

    def __init__(
        self,
        database: Database,
        queue: str,
        kinds: Mapping[str, JobKind],
        scrub: Scrubber,
        ended: Callable[[Job, Outcome], None],
        finished: Callable[[Finished], None],
    ) -> None:
        """`ended` is called with each job whose slot is free again; `finished` gets its result, to be written."""
        self._database = database
        self._queue = queue
        self._kinds = kinds
        # Attempts mostly fail with the same few messages.
        self._scrubbed = lru_cache(maxsize=64)(partial(scrub, cut=True))
        self._ended = ended
        self._finished = finished
        self.held: dict[str, Job] = {}
        self.unfinished = 0
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.superseded: set[asyncio.Task[None]] = set()
        self.progress: dict[str, JobProgress] = {}
        self._given_up: set[str] = set()
        self._cancelled: set[str] = set()

    def take(self, job: Job) -> None:
        """Starts a job that was claimed for this process."""
        self._supersede(job.id)
        self.held[job.id] = job
        self.unfinished += 1

    def _supersede(self, job_id: str) -> None:
        """
        Replaces a task whose job was claimed here again: this process stood still between two claims for longer than a
        lease. The former task is stopped if possible; its result will be rejected as too late, and until then it keeps
        its slots.
        """
        if job_id not in self.tasks:
            return  # at most its result waits to be written, and will be rejected as too late
        log.warning("job.claimed_again", queue=self._queue, job=job_id)
        self.stop(job_id)
        task = self.tasks.pop(job_id)
        self.superseded.add(task)
        task.add_done_callback(self.superseded.discard)
        self.progress.pop(job_id, None)
        self._cancelled.discard(job_id)

    async def start(self, kind: JobKind, batch: Sequence[Job]) -> None:
        for job in batch:
            if job.cancelled:
                self.finish(job, CANCELLED)
            elif job.attempts > job.max_attempts:
                self.finish(job, Outcome("dead", LOST_WORKER))
        batch = [job for job in batch if not job.cancelled and job.attempts <= job.max_attempts]
        try:
            found: Mapping[str, Any] | None = None
            if kind.load is not None and batch:
                async with self._database.autocommit() as tx:
                    found = await kind.load(tx, batch)
        except DatabaseAway as error:
            for job in batch:
                self.finish(job, Outcome("postpone", error.message, after_seconds=1.0))
            return
        except Exception as error:
            log.exception("job.load_failed", kind=kind.name, jobs=len(batch))
            if len(batch) == 1:
                self.finish(batch[0], Outcome("retry", _describe(error)))
                return
            # An error in one job must not affect the others.
            for job in batch:
                await self.start(kind, [job])
            return
        for job in batch:
            if found is not None and job.id not in found:
                self.finish(job, DONE)
                continue
            loaded = found[job.id] if found is not None else None
            self.tasks[job.id] = asyncio.create_task(self._perform(kind, job, loaded))

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
                raise  # the drain time is over, and the job is given back
            log.warning("job.cancelled", kind=kind.name, job=job.id, attempt=job.attempts)
            if job.id in self._cancelled:
                outcome = CANCELLED
        except Exception as error:
            log.exception("job.failed", kind=kind.name, job=job.id, attempt=job.attempts)
            outcome = Outcome("retry", _describe(error))
        # A task that lost its lease must not remove the entry of its successor.
        if self.tasks.get(job.id) is asyncio.current_task():
            del self.tasks[job.id]
        self.finish(job, outcome)

    def finish(self, job: Job, outcome: Outcome) -> None:
        """Ends an attempt. Its slot is free now, but the job is held until its result is written."""
        if outcome.error is not None:
            error = self._scrubbed(outcome.error)
            outcome = msgspec.structs.replace(outcome, error=error)
        is_superseded = self.held.get(job.id) is not job
        if not is_superseded:
            self.progress.pop(job.id, None)
            self._cancelled.discard(job.id)
        self.unfinished -= 1
        self._ended(job, outcome)
        next_attempt_at = None
        if outcome.verdict == "retry" and job.is_last_attempt and not is_superseded:
            outcome = msgspec.structs.replace(outcome, verdict="dead", after_seconds=None)
            log.error("job.dead", kind=job.kind, job=job.id, attempts=job.attempts, error=outcome.error)
        elif outcome.verdict in ("retry", "postpone"):
            delay = outcome.after_seconds
            if delay is None:
                delay = self._kinds[job.kind].backoff.delay(job.attempts)
            next_attempt_at = utc_now() + timedelta(seconds=delay)
        self._finished(Finished(job, outcome, next_attempt_at))

    def let_go(self, results: Sequence[Finished]) -> None:
        """Forgets jobs whose results were written."""
        for job in (finished.job for finished in results):
            if self.held.get(job.id) is job:
                del self.held[job.id]

    def stop(self, job_id: str) -> bool:
        task, job = self.tasks.get(job_id), self.held.get(job_id)
        kind = self._kinds.get(job.kind) if job is not None else None
        if task is None or kind is None or not kind.cancellable:
            return False
        coroutine = task.get_coro()
        if inspect.iscoroutine(coroutine) and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
            return False  # if cancelled now, it would never begin and never finish its job
        task.cancel()
        return True

    def cancel(self, job_id: str) -> None:
        """Cancels a job, once only: a second time would interrupt its cleanup."""
        if job_id not in self._cancelled and self.stop(job_id):
            self._cancelled.add(job_id)

    def _hear(self, job: Job, progress: JobProgress) -> None:
        if job.id in self.tasks and self.held.get(job.id) is job:
            self.progress[job.id] = progress

    def performed_since(self, time: datetime) -> Sequence[Job]:
        """Returns the jobs that were claimed before that time."""
        return [self.held[id] for id in self.tasks if id in self.held and self.held[id].claimed_at < time]

    async def drain(self, seconds: float) -> Sequence[Job]:
        """Waits up to so many seconds for the running jobs, and stops the rest. Returns the jobs without a result."""
        tasks = {*self.tasks.values(), *self.superseded}
        if tasks:
            log.info("runner.draining", queue=self._queue, jobs=len(tasks), seconds=seconds)
            await asyncio.wait(tasks, timeout=seconds)
        late = dict(self.tasks)
        self._given_up.update(late)
        ending = [*late.values(), *self.superseded]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        # Jobs that finished nevertheless have a result that is being written.
        return [self.held[id] for id in late if id in self.held and id in self.tasks]


def _encoded(result: Any) -> msgspec.Raw:
    """
    Encodes a result. Raises ValueError when it is no JSON, or too large: the kind's mistake, which ends the attempt.
    """
    try:
        text = msgspec.json.encode(result)
    except (TypeError, msgspec.MsgspecError) as error:
        raise ValueError(f"its result is not JSON: {error}") from error
    if len(text) > MOST_RESULT_BYTES:
        raise ValueError(f"its result has {len(text)} bytes; {MOST_RESULT_BYTES} are kept at most")
    return msgspec.Raw(text)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
