"""
rq-scheduler as the clock: one entry per schedule in Redis; whoever holds the lock tells what is due. Entries are
written anew from what Postgres says, whenever Redis has lost them or a schedule has changed.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.exceptions import LockError
from redis.retry import Retry
from rq.job import Job
from rq.serializers import JSONSerializer
from rq_scheduler import Scheduler

from ogel.kernel.clock import rfc3339, utc_now
from ogel.kernel.ids import new_id
from ogel.runtime.schedule.clock import Due, NotHandedOver

log = structlog.get_logger(__name__)

# Seconds. With the thread's other work, a stop takes at most two seconds even while Redis hangs.
SOCKET_TIMEOUT_SECONDS = 1.0
STOP_TIMEOUT_SECONDS = 1.5
# After a kill -9 of its holder, the lock is free again after this many seconds. Longer than a handover may take.
LOCK_SECONDS = 10
MAX_BACKOFF_SECONDS = 5.0
# An entry that no scheduler has moved for this long belongs to a declared schedule that was removed.
FORGOTTEN_AFTER = timedelta(hours=1)
_DECLARED, _USERS = "ogel-schedule-", "ogel-user-schedule-"
# Entries that one pass reads: more than anybody has schedules.
MOST_DUE = 10_000


def tick() -> None:
    """The function that an entry names. The clock handles it and never calls it."""


class RqClock:
    """Tells due ticks from a daemon thread. While Redis is away it logs so once, and continues when Redis is back."""

    def __init__(self, redis_url: str, interval_seconds: float = 1.0) -> None:
        # We retry ourselves; the client's retries would multiply the timeouts.
        self._connection = redis.Redis.from_url(
            redis_url,
            socket_timeout=SOCKET_TIMEOUT_SECONDS,
            socket_connect_timeout=SOCKET_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._entries = Entries(self._connection)
        self._interval_seconds = interval_seconds
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble: str | None = None
        self._failures = 0

    def expect(self, times: Mapping[str, datetime]) -> None:
        self._entries.expect(times)

    def start(self, due: Due) -> None:
        self._thread = threading.Thread(target=self._run, args=(due,), name="rq-clock", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Stops the thread. If Redis hangs beyond the timeout, the thread ends with the process."""
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, STOP_TIMEOUT_SECONDS)

    def _run(self, due: Due) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                self._entries.look(due)
            except NotHandedOver as error:
                pause = self._back_off("clock.not_handed_over", error)
            except (redis.RedisError, OSError) as error:
                pause = self._back_off("clock.redis_away", error)
            except Exception:
                log.exception("clock.failed")
                pause = self._pause_longer()
            else:
                self._recover()
                pause = self._interval_seconds
        self._leave()

    def _back_off(self, trouble: str, error: Exception) -> float:
        """Returns the seconds until the next try. Logs when the kind of failure changes, not at every try."""
        if trouble != self._trouble and not self._stop.is_set():
            log.warning(trouble, error=str(error))
        self._trouble = trouble
        return self._pause_longer()

    def _pause_longer(self) -> float:
        self._failures += 1
        return min(MAX_BACKOFF_SECONDS, self._interval_seconds * 2.0 ** min(self._failures - 1, 16))

    def _recover(self) -> None:
        if self._trouble is not None:
            log.info("clock.recovered", trouble=self._trouble)
        self._trouble = None
        self._failures = 0

    def _leave(self) -> None:
        try:
            if self._trouble != "clock.redis_away":
                self._entries.register_death()
        except (redis.RedisError, OSError) as error:
            log.info("clock.not_deregistered", error=str(error))
        finally:
            self._connection.close()


class _EntryJob(Job):
    """rq-scheduler names no serializer, and RQ's own is pickle: what is read with that may run anything."""

    def __init__(
        self, id: str | None = None, connection: redis.Redis | None = None, serializer: Any = None
    ) -> None:
        super().__init__(id, connection, serializer=JSONSerializer)


class Entries(Scheduler):  # type: ignore[misc]  # rq-scheduler has no types
    """
    Keys of our own, so that another rq-scheduler on this Redis neither sees nor blocks us. `run` is not used:
    it takes the process's signals, reads cron in local time, and pushes entries into RQ queues. Of an entry its name
    and its time are read, never its job: anybody may have written that.
    """

    redis_scheduler_namespace_prefix = "ogel:scheduler_instance:"
    scheduler_key = "ogel:scheduler"
    scheduler_lock_key = "ogel:scheduler_lock"
    scheduled_jobs_key = "ogel:scheduler:scheduled_jobs"

    def __init__(self, connection: redis.Redis) -> None:
        name = f"{socket.gethostname()}-{os.getpid()}-{new_id('s')[-6:]}"
        super().__init__(
            "ogel-schedules", connection=connection, name=name, interval=LOCK_SECONDS, job_class=_EntryJob
        )
        self._lock = connection.lock(self.scheduler_lock_key, timeout=LOCK_SECONDS, blocking=False)
        # By entry, a schedule's name and when it is due. The first is replaced, never changed: by another thread.
        self._expected: Mapping[str, tuple[str, datetime]] = {}
        self._written: Mapping[str, tuple[str, datetime]] = {}

    def expect(self, times: Mapping[str, datetime]) -> None:
        """See Clock.expect; the next `look` writes the entries."""
        self._expected = {entry_id(name): (name, at) for name, at in times.items()}

    def look(self, due: Due) -> None:
        """Tells what is due and writes missing entries, unless another scheduler holds the lock."""
        self.heartbeat()
        if not self.acquire_lock():
            return
        expected = self._expected
        try:
            for id in self._due():
                self._tell(id, expected, due)
            self._write(expected)
        finally:
            self.remove_lock()

    def heartbeat(self) -> None:
        if not self.connection.expire(self.key, LOCK_SECONDS):
            self.register_birth()

    def acquire_lock(self) -> bool:
        if self._lock.acquire():
            return True
        if self.connection.pttl(self.scheduler_lock_key) == -1:  # none of us holds it for ever
            self.connection.delete(self.scheduler_lock_key)
        return False

    def remove_lock(self) -> None:
        with suppress(LockError):  # held past its time: by now it is someone else's
            self._lock.release()

    def _due(self) -> list[str]:
        """
        Returns due entries. Drops foreign ones and those without a job, which are written again if they are expected.
        """
        now = utc_now().timestamp()
        found = self.connection.zrangebyscore(self.scheduled_jobs_key, "-inf", now, start=0, num=MOST_DUE)
        ours = [id.decode() for id in found if _is_ours(id)]
        with self.connection.pipeline(transaction=False) as pipeline:
            for id in ours:
                pipeline.exists(Job.key_for(id))
            whole = {id for id, exists in zip(ours, pipeline.execute(), strict=True) if exists}
        lost = [id for id in found if not _is_ours(id) or id.decode() not in whole]
        if lost:
            self.connection.zrem(self.scheduled_jobs_key, *lost)
        return [id for id in ours if id in whole]

    def _tell(self, id: str, expected: Mapping[str, tuple[str, datetime]], due: Due) -> None:
        now = utc_now()
        if id not in expected:
            self._forget(id, now)
            return
        next_tick = due(expected[id][0], now)
        # None: it goes when we are told what to expect now, which is a moment away.
        if next_tick is not None:
            # XX: an entry that was flushed meanwhile must be written as a whole, with its job.
            self.connection.zadd(self.scheduled_jobs_key, {id: int(next_tick.timestamp())}, xx=True)

    def _forget(self, id: str, now: datetime) -> None:
        """
        Drops entries of schedules that no longer exist. Every scheduler knows users' schedules; another unknown one may
        belong to a scheduler of another version, so it stays for a while.
        """
        at = self.connection.zscore(self.scheduled_jobs_key, id)
        if id.startswith(_USERS) or (at is not None and at < (now - FORGOTTEN_AFTER).timestamp()):
            self._drop(id)

    def _drop(self, id: str) -> None:
        self.cancel(id)
        self.connection.delete(Job.key_for(id))
        log.info("clock.forgotten", entry=id)

    def _write(self, expected: Mapping[str, tuple[str, datetime]]) -> None:
        """Writes entries that are new, changed or lost by Redis; those of ended schedules are left out."""
        scores = self.connection.zmscore(self.scheduled_jobs_key, list(expected)) if expected else []
        there = {id for id, score in zip(expected, scores, strict=True) if score is not None}
        for id, (name, at) in expected.items():
            if id not in there or self._written.get(id) != (name, at):
                self.connection.delete(Job.key_for(id))  # whatever it was: RQ adds to what is there
                self.enqueue_at(at, f"{__name__}.tick", job_id=id, job_description=name)
                log.debug("clock.registered", schedule=name, next_tick=rfc3339(at))
        for id in self._written.keys() - expected.keys():
            self._drop(id)
        self._written = expected


def entry_id(name: str) -> str:
    """RQ allows no dots in ids, so the dots of declared names become dashes, which those names do not contain."""
    return f"{_DECLARED}{name.replace('.', '-')}" if "." in name else f"{_USERS}{name}"


def _is_ours(id: bytes) -> bool:
    return id.isascii() and id.startswith((_DECLARED.encode(), _USERS.encode()))
