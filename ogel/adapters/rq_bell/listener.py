"""
Hearing: an RQ worker in a daemon thread, registered, seen and told what to do like any other, with a loop of its own.

RQ's loop reads jobs out of Redis and does what they say: their serialized arguments, functions, callbacks. Ours reads
the name of the queue that was rung and nothing else, so whoever can write to Redis can wake us, and that is all.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import SimpleWorker, worker_registration
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.suspension import WORKERS_SUSPENDED
from rq.utils import as_text
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from ogel.adapters.rq_bell.ring import ring_id, send
from ogel.adapters.rq_commands import obey
from ogel.kernel.ids import new_id

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_SECONDS = 2.0
# Seconds between looks at the suspension switch and commands, and between heartbeats.
LISTEN_SECONDS = 2
# The same while a queue is full here: its rings are left for other processes, until there is room.
LISTEN_WHEN_FULL_SECONDS = 0.1
# Rings taken per look.
MOST_COMMANDS = 100
# A killed listener disappears from Redis and `rq info` after this many seconds. RQ adds a minute to the value it gets.
ALIVE_SECONDS = 10
_RQ_ADDS_SECONDS = 60
AGAIN_SECONDS = 1.0
UNBLOCK_SECONDS = 0.1


class BellListener:
    """
    Tells of every ring, late if it must: after an outage, however short, all queues count as rung. A queue that has no
    room is not listened to; its ring waits for another process, or for room.

    `remote_shutdown`: RQ's command `shutdown` ends the process, as SIGINT does.
    """

    def __init__(
        self,
        redis_url: str,
        queues: Sequence[str],
        heard: Callable[[str], None],
        suspended: Callable[[bool], None],
        has_room: Callable[[str], bool] = lambda queue: True,
        remote_shutdown: bool = True,
    ) -> None:
        self._redis_url = redis_url
        self._queues = list(queues)
        self._heard = heard
        self._suspended = suspended
        self._has_room = has_room
        self._remote_shutdown = remote_shutdown
        self._stop = threading.Event()
        self._worker: _ListeningWorker | None = None
        # One name for as long as the process lives: after a lost connection it is the same worker.
        self._name = f"{socket.gethostname()}-{os.getpid()}-{new_id('w')[-6:]}"
        self._thread = threading.Thread(target=self._run, name="rq-bell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def stop(self, timeout_seconds: float = 3.0) -> None:
        """Deregisters from RQ. If Redis is away beyond the timeout, the thread ends with the process."""
        self._stop.set()
        await asyncio.to_thread(self._end, timeout_seconds)

    def _run(self) -> None:
        away = missed = False
        while not self._stop.is_set():
            try:
                with self._connect() as connection:
                    self._worker = _ListeningWorker(
                        self._queues,
                        name=self._name,
                        connection=connection,
                        heard=self._heard,
                        suspended=self._suspended,
                        has_room=self._has_room,
                        remote_shutdown=self._remote_shutdown,
                        stop=self._stop,
                    )
                    if away:
                        log.info("bell_listener.redis_back")
                    away = False
                    self._worker.listen(missed)
            except (redis.RedisError, OSError) as error:
                if not away and not self._stop.is_set():
                    log.warning("bell_listener.redis_away", error=str(error))
                away = True
            except Exception:
                log.exception("bell_listener.failed")
            missed = True
            self._stop.wait(AGAIN_SECONDS)

    def _connect(self, timeout_seconds: float | None = None) -> redis.Redis:
        # No client timeout by default, because RQ sets one that fits its blocking read. No retries either: a ring that
        # was popped when the connection broke is lost, and we have to notice.
        return redis.Redis.from_url(
            self._redis_url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    def _end(self, timeout_seconds: float) -> None:
        """Repeats the unblocking, since the thread may have been just about to block."""
        until = time.monotonic() + timeout_seconds
        # A connection of its own, separate from the blocked one.
        with self._connect(timeout_seconds) as connection:
            while self._thread.is_alive() and time.monotonic() < until:
                worker = self._worker
                if worker is not None and worker.blocking_client_id is not None:
                    with suppress(redis.RedisError, OSError):
                        connection.client_unblock(worker.blocking_client_id)
                self._thread.join(UNBLOCK_SECONDS)


class _ListeningWorker(SimpleWorker):
    def __init__(
        self,
        queues: Sequence[str],
        *,
        name: str,
        connection: redis.Redis,
        heard: Callable[[str], None],
        suspended: Callable[[bool], None],
        has_room: Callable[[str], bool],
        remote_shutdown: bool,
        stop: threading.Event,
    ) -> None:
        super().__init__(
            list(queues),
            name=name,
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=ALIVE_SECONDS - _RQ_ADDS_SECONDS,
        )
        self._on_heard = heard
        self._on_suspended = suspended
        self._has_room = has_room
        self._remote_shutdown = remote_shutdown
        self._stop_event = stop
        # The connection to unblock so that the current read ends at once.
        self.blocking_client_id: int | None = None

    @property
    def dequeue_timeout(self) -> int:
        return LISTEN_SECONDS

    def listen(self, missed: bool) -> None:
        """Listens until the stop. Raises errors of Redis. `missed`: rings were lost, so each queue counts as rung."""
        self._clear_the_way()
        try:
            self.bootstrap(logging_level="WARNING")
            for queue in self.queues:
                worker_registration.clean_worker_registry(queue)
            self.set_state("idle")
            if missed:
                for queue in self.queues:
                    self._on_heard(queue.name)
            names = {queue.key: queue.name for queue in self.queues}
            keys = deque(names)
            while not self._stop_event.is_set():
                self._beat()
                self._hear_commands()
                popped = self._pop(keys, [key for key in keys if self._has_room(names[key])])
                if popped is not None:
                    self._hear(names[as_text(popped[0])])
                    keys.rotate(-1)  # none is rung so often that the others are not heard
            self.register_death()  # type: ignore[no-untyped-call]
        finally:
            if self.pubsub is not None:
                self.pubsub.close()

    def _pop(self, keys: Sequence[str], with_room: Sequence[str]) -> Any:
        """Returns a ring of a queue with room, or None when none came in time."""
        if not with_room:
            self._stop_event.wait(LISTEN_WHEN_FULL_SECONDS)
            return None
        seconds = LISTEN_SECONDS if len(with_room) == len(keys) else LISTEN_WHEN_FULL_SECONDS
        return self.connection.blpop(with_room, seconds)

    def _hear(self, queue: str) -> None:
        self.connection.delete(Job.key_for(ring_id(queue)))
        if self._stop_event.is_set():
            send(self.connection, [queue])  # for another: this process takes nothing up any more
        else:
            self._on_heard(queue)

    def _beat(self) -> None:
        """Sends a heartbeat before each blocking read, and checks that Redis still knows this worker."""
        with self.connection.pipeline(transaction=False) as pipeline:
            self.heartbeat(pipeline=pipeline)
            pipeline.hexists(self.key, "birth")
            pipeline.sismember(REDIS_WORKER_KEYS, self.key)
            pipeline.exists(WORKERS_SUSPENDED)
            # There is one thread, so the read that follows gets this same connection from the pool.
            pipeline.client_id()
            *_, complete, listed, suspended, self.blocking_client_id = pipeline.execute()
        if not (complete and listed):
            self._register_again()
        self._on_suspended(bool(suspended))

    def _register_again(self) -> None:
        """Registers again after Redis was flushed, or forgot a worker that was silent for too long."""
        with self.connection.pipeline() as pipeline:
            pipeline.hset(self.key, mapping={**self.serialize(), "state": self.get_state()})
            pipeline.expire(self.key, ALIVE_SECONDS)
            worker_registration.register(self, pipeline)
            pipeline.execute()

    def _clear_the_way(self) -> None:
        """
        What lies where our rings wait, and is no list, would keep every ring from being sent or heard. And RQ refuses
        a name that is taken, if only by us before the connection was lost.
        """
        self.connection.delete(self.key)
        kinds = {REDIS_WORKER_KEYS: b"set", self.queue_class.redis_queues_keys: b"set"}
        for queue in self.queues:
            kinds |= {queue.key: b"list", WORKERS_BY_QUEUE_KEY % queue.name: b"set"}
        for key, kind in kinds.items():
            if (found := self.connection.type(key)) not in (kind, b"none"):
                log.warning("bell_listener.in_the_way", key=key, type=as_text(found))
                self.connection.delete(key)

    def subscribe(self) -> None:
        """Subscribes without RQ's own thread, which shares a connection with ours and may take a minute to end."""
        self.pubsub = self.connection.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self.pubsub.subscribe(self.pubsub_channel_name)

    def _hear_commands(self) -> None:
        assert self.pubsub is not None
        for _ in range(MOST_COMMANDS):
            message = self.pubsub.get_message(timeout=0.0)
            if message is None:
                return
            obey(self, message, remote_shutdown=self._remote_shutdown)

    def get_current_job_id(self) -> str | None:
        """Always None: anybody may have written what Redis says about jobs of ours."""
        return None

    def _install_signal_handlers(self) -> None:
        """Does nothing: signals belong to the main thread, and the process stops this worker by its stop event."""

    def procline(self, message: str) -> None:
        """Does nothing: the process is more than an RQ worker and keeps its title."""
