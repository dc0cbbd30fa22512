"""RQ as the bell: one tiny RQ job per ring, at most one waiting per queue, heard by a worker `rq info` can see."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import redis
import structlog
from rq import Queue, SimpleWorker, worker_registration
from rq.exceptions import DuplicateJobError, StopRequested
from rq.job import Job
from rq.suspension import is_suspended
from rq.timeouts import TimerDeathPenalty
from rq.worker_registration import REDIS_WORKER_KEYS

from ogel.kernel.ids import new_id

log = structlog.get_logger(__name__)

# A ring nobody heard is forgotten after this, so that a worker killed while hearing it cannot mute the bell for longer:
# what is rung for meanwhile waits for a poll. Listeners hear within milliseconds.
RING_TTL_SECONDS = 2
# Rings of one process are gathered this long: a ring costs Redis and both processes more than a claim costs Postgres.
GATHER_SECONDS = 0.005
SOCKET_TIMEOUT_SECONDS = 2.0
# Between looks at the suspension switch, and between heartbeats.
LISTEN_SECONDS = 5


def ring() -> None:
    """What a ring names as its function; the listener answers it without calling it."""


class RqBell:
    """Rings queues through RQ, from a thread, gathered. Without Redis it keeps quiet and says so once."""

    def __init__(self, redis_url: str) -> None:
        self._connection = redis.Redis.from_url(
            redis_url, socket_timeout=SOCKET_TIMEOUT_SECONDS, socket_connect_timeout=SOCKET_TIMEOUT_SECONDS
        )
        self._queues: dict[str, Queue] = {}
        self._waiting: set[str] = set()
        self._some = asyncio.Event()
        self._away = False

    def ring(self, queues: set[str]) -> None:
        """On the event loop; returns at once."""
        self._waiting |= queues
        self._some.set()

    async def run(self) -> None:
        """Sends gathered rings until cancelled. Rings that fail are dropped: the runners poll."""
        while True:
            await self._some.wait()
            await asyncio.sleep(GATHER_SECONDS)
            try:
                await self.flush()
            except Exception as error:  # noqa: BLE001 - a bell that stopped for good would cost every event a poll
                if not self._away:
                    log.warning("bell.redis_away", error=str(error))
                self._away = True
                await asyncio.sleep(1.0)
            else:
                if self._away:
                    log.info("bell.redis_back")
                self._away = False

    async def flush(self) -> None:
        """Sends what waits now, for a process that is about to end. Raises what Redis does."""
        queues, self._waiting = self._waiting, set()
        self._some.clear()
        if queues:
            await asyncio.to_thread(self._send, queues)

    def close(self) -> None:
        self._connection.close()

    def _send(self, queues: set[str]) -> None:
        for name in queues:
            queue = self._queues.setdefault(name, Queue(name, connection=self._connection))
            with suppress(DuplicateJobError):  # one is waiting already: it will do
                queue.enqueue(
                    ring,
                    job_id=f"ogel-bell-{name}",
                    unique=True,
                    ttl=RING_TTL_SECONDS,
                    result_ttl=0,
                    failure_ttl=0,
                )


class BellListener:
    """An RQ worker in a daemon thread: registered, heard and seen like any other, performing nothing but rings."""

    def __init__(
        self,
        redis_url: str,
        queues: Sequence[str],
        heard: Callable[[str], None],
        suspended: Callable[[bool], None],
    ) -> None:
        self._redis_url = redis_url
        self._queues = list(queues)
        self._heard = heard
        self._suspended = suspended
        self._stop = threading.Event()
        self._worker: _ListeningWorker | None = None
        self._thread = threading.Thread(target=self._run, name="rq-bell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self, timeout_seconds: float = 3.0) -> None:
        """Deregisters from RQ. Past the timeout (Redis away) the thread is left to die with the process."""
        self._stop.set()
        await asyncio.to_thread(self._unblock)
        await asyncio.to_thread(self._thread.join, timeout_seconds)

    def _run(self) -> None:
        away = False
        while not self._stop.is_set():
            try:
                # No client-side timeout here: RQ sets one fitting its blocking read.
                connection = redis.Redis.from_url(
                    self._redis_url, socket_connect_timeout=SOCKET_TIMEOUT_SECONDS
                )
                self._worker = _ListeningWorker(
                    self._queues,
                    connection=connection,
                    heard=self._heard,
                    suspended=self._suspended,
                    stop=self._stop,
                )
                if away:
                    log.info("bell_listener.redis_back")
                    for queue in self._queues:
                        self._heard(queue)  # something may have rung unheard
                away = False
                self._worker.work(logging_level="WARNING")
            except (redis.RedisError, OSError) as error:
                if not away:
                    log.warning("bell_listener.redis_away", error=str(error))
                away = True
            except Exception:
                log.exception("bell_listener.failed")
            self._stop.wait(1.0)

    def _unblock(self) -> None:
        worker = self._worker
        if worker is None:
            return
        try:
            worker.unblock()
        except (redis.RedisError, OSError) as error:
            log.info("bell_listener.not_unblocked", error=str(error))


class _ListeningWorker(SimpleWorker):
    death_penalty_class = TimerDeathPenalty  # the signal-based one works in the main thread only

    def __init__(
        self,
        queues: Sequence[str],
        *,
        connection: redis.Redis,
        heard: Callable[[str], None],
        suspended: Callable[[bool], None],
        stop: threading.Event,
    ) -> None:
        name = f"{socket.gethostname()}-{os.getpid()}-{new_id('w')[-6:]}"
        super().__init__(list(queues), name=name, connection=connection, log_job_description=False)
        self._on_heard = heard
        self._on_suspended = suspended
        self._stop_event = stop
        self._blocking_client_id: int | None = None
        self._registered = False

    @property
    def dequeue_timeout(self) -> int:
        return LISTEN_SECONDS

    def unblock(self) -> None:
        """From another thread: the blocking read ends now, and the next heartbeat sees the stop."""
        if self._blocking_client_id is not None:
            self.connection.client_unblock(self._blocking_client_id)

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        # RQ calls this before each blocking read, so it is where a stop and a suspension are noticed.
        if self._stop_event.is_set():
            raise StopRequested
        super().heartbeat(*args, **kwargs)
        if self._registered and not self.connection.sismember(REDIS_WORKER_KEYS, self.key):
            self._register_again()
        self._on_suspended(bool(is_suspended(self.connection)))
        # One thread, one connection from the pool's top: the read that follows uses this very client.
        self._blocking_client_id = self.connection.client_id()

    def _register_again(self) -> None:
        """Redis was flushed: what it knew of us is gone."""
        with self.connection.pipeline() as pipeline:
            pipeline.hset(self.key, mapping=self.serialize())
            worker_registration.register(self, pipeline)
            pipeline.execute()

    def register_birth(self) -> None:
        super().register_birth()  # type: ignore[no-untyped-call]
        self._registered = True

    def register_death(self) -> None:
        self._registered = False
        super().register_death()  # type: ignore[no-untyped-call]

    def check_for_suspension(self, burst: bool) -> None:
        """Suspension is told to the runners in `heartbeat`; the bell itself goes on listening."""

    def execute_job(self, job: Job, queue: Queue) -> None:
        # Not job.delete(): it asks for the job's state, and after a flush there is none.
        with self.connection.pipeline() as pipeline:
            pipeline.lrem(queue.intermediate_queue.key, 1, job.id)
            pipeline.delete(job.key)
            pipeline.execute()
        # Only now: a ring after this line is a new one, never mistaken for the one just heard.
        self._on_heard(queue.name)

    def _install_signal_handlers(self) -> None:
        """Signals belong to the main thread; the process stops this worker by its stop event."""

    def procline(self, message: str) -> None:
        """The process is not RQ's alone: its title stays."""
