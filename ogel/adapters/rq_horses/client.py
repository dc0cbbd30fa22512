"""The worker's side of isolated jobs: a limited number of helper processes, each with an RQ queue of its own."""

from __future__ import annotations

import asyncio
import json
import math
import os
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import redis
import structlog
from rq import Queue
from rq.serializers import JSONSerializer

from ogel.adapters.rq_horses.keys import QUEUE_PREFIX, SOCKET_TIMEOUT_SECONDS, forget, forget_orphans
from ogel.adapters.rq_horses.order import PERFORM, new_secret, signed
from ogel.kernel.ids import new_id
from ogel.runtime.jobs.job import Job, Outcome
from ogel.runtime.jobs.kind import JobKind

log = structlog.get_logger(__name__)

HELPER = "ogel.adapters.rq_horses.helper"
# Seconds to import RQ and register; then to start a job.
READY_SECONDS = 20.0
START_SECONDS = 10.0
# Seconds beyond a job's own time, in which the helper ends its horse and reports it.
MARGIN_SECONDS = 5.0
END_SECONDS = 2.0
AGAIN_SECONDS = 2.0
# Helpers and horses see these variables and those for the dynamic linker, locale and time zone, but no settings or
# secrets.
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
# JSON may write each character of an answer as six.
_LINE_BYTES = 1024 * 1024


class RqHorses:
    """
    Performs isolated jobs, `at_once` at most; more wait here. Helpers are started when there is work for them, replaced
    when they are gone, and end with `close` or with this process, whichever way it ends. `remote_shutdown`: a helper
    ends when RQ's command `shutdown` tells it to.
    """

    def __init__(
        self, redis_url: str, kinds: Sequence[JobKind], at_once: int, remote_shutdown: bool = True
    ) -> None:
        self._redis_url = redis_url
        self._remote_shutdown = remote_shutdown
        self._kinds = {kind.name: _described(kind) for kind in kinds if kind.isolated is not None}
        self._places = asyncio.Semaphore(at_once)
        self._idle: list[_Helper] = []
        self._swept = False
        self._connection = redis.Redis.from_url(
            redis_url, socket_timeout=SOCKET_TIMEOUT_SECONDS, socket_connect_timeout=SOCKET_TIMEOUT_SECONDS
        )

    async def perform(self, kind: JobKind, job: Job) -> Outcome:
        async with self._places:
            try:
                helper = await self._helper()
            except _Unready as error:
                log.warning("isolated.no_helper", job=job.id, error=str(error))
                return Outcome("postpone", f"no helper process: {error}", after_seconds=AGAIN_SECONDS)
            clean = False
            try:
                outcome = await helper.perform(kind, job)
                clean = True
            except _NotStarted as error:
                log.warning("isolated.not_started", job=job.id, helper=helper.pid, error=str(error))
                outcome = Outcome("postpone", f"not started: {error}", after_seconds=AGAIN_SECONDS)
            except _Lost as error:
                log.warning("isolated.helper_lost", job=job.id, helper=helper.pid, error=str(error))
                outcome = Outcome("retry", str(error))
            finally:
                # A caller that stops waiting ends the job: nothing of it may run when the next attempt begins.
                if clean:
                    self._idle.append(helper)
                else:
                    await self._end(helper)
            return outcome

    async def close(self) -> None:
        helpers, self._idle = self._idle, []
        await asyncio.gather(*(self._end(helper) for helper in helpers))
        self._connection.close()

    async def _helper(self) -> _Helper:
        while self._idle:
            helper = self._idle.pop()
            if helper.is_alive:
                return helper
            await self._end(helper)
        if not self._swept:
            await self._sweep()
        told = {
            "redis_url": self._redis_url,
            "kinds": self._kinds,
            "remote_shutdown": self._remote_shutdown,
        }
        helper = await _Helper.start(told, self._connection)
        log.info("isolated.helper_started", helper=helper.pid)
        return helper

    async def _sweep(self) -> None:
        try:
            orphans = await asyncio.to_thread(forget_orphans, self._connection)
        except (redis.RedisError, OSError) as error:
            raise _Unready(f"Redis is away: {error}") from error
        self._swept = True
        if orphans:
            log.info("isolated.orphans_forgotten", helpers=orphans)

    async def _end(self, helper: _Helper) -> None:
        await helper.end()
        # The helper has done so itself, unless it was killed.
        with suppress(redis.RedisError, OSError):
            await asyncio.to_thread(forget, self._connection, helper.queue.name)


class _Unready(Exception):
    pass


class _NotStarted(Exception):
    pass


class _Lost(Exception):
    """The job had begun, and its end will never be known."""


class _Helper:
    def __init__(self, process: Process, queue: Queue, secret: str) -> None:
        self._process = process
        self.queue = queue
        self._secret = secret
        self._orders = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    @classmethod
    async def start(cls, told: Mapping[str, object], connection: redis.Redis) -> _Helper:
        """Starts a helper, and returns when it is registered with RQ. Raises _Unready."""
        name = f"{QUEUE_PREFIX}{socket.gethostname()}-{os.getpid()}-{new_id('h')[-6:]}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", HELPER),
            stdin=PIPE,
            stdout=PIPE,
            env=_environment(),
            limit=_LINE_BYTES,
            start_new_session=True,  # Ctrl-C in a terminal is for the worker to answer
        )
        secret = new_secret()
        helper = cls(process, Queue(name, connection=connection, serializer=JSONSerializer), secret)
        ready = False
        try:
            assert process.stdin is not None
            first = {**told, "name": name, "parent": os.getpid(), "secret": secret}
            process.stdin.write(json.dumps(first).encode() + b"\n")
            async with asyncio.timeout(READY_SECONDS):
                await helper._hear("ready")
            ready = True
        except TimeoutError as error:
            raise _Unready(f"it was not ready within {READY_SECONDS:g} s") from error
        except (EOFError, OSError) as error:
            raise _Unready("it ended before it was ready; Redis may be away") from error
        finally:
            if not ready:
                await helper.end()
        return helper

    async def perform(self, kind: JobKind, job: Job) -> Outcome:
        """
        Performs a job. Raises _NotStarted or _Lost; after either, or a cancellation, the helper cannot be used again.
        """
        id = f"{job.id}-{job.attempts}"
        assert kind.timeout_seconds is not None
        try:
            await asyncio.to_thread(self._enqueue, id, kind, job)
            async with asyncio.timeout(START_SECONDS):
                await self._hear("started", id)
        except TimeoutError as error:
            raise _NotStarted(f"not taken up within {START_SECONDS:g} s; Redis may be away") from error
        except (redis.RedisError, OSError) as error:
            raise _NotStarted(f"Redis is away: {error}") from error
        except EOFError as error:
            raise _NotStarted("its helper process ended") from error
        try:
            async with asyncio.timeout(kind.timeout_seconds + MARGIN_SECONDS):
                ended = await self._hear("ended", id)
        except TimeoutError as error:
            raise _Lost("its helper process did not answer in time") from error
        except (EOFError, OSError) as error:
            raise _Lost("its helper process died") from error
        if "error" in ended:
            return Outcome("retry", ended["error"].replace("\0", "\\0").encode(errors="replace").decode())
        return Outcome("done", value=ended["value"], result=ended["value"])

    def _enqueue(self, id: str, kind: JobKind, job: Job) -> None:
        assert kind.timeout_seconds is not None
        self._orders += 1
        self.queue.enqueue_call(
            PERFORM,
            signed(self._secret, id, self._orders, kind.name, job.payload),
            timeout=math.ceil(kind.timeout_seconds),
            ttl=math.ceil(START_SECONDS),
            result_ttl=0,
            failure_ttl=0,
            description=f"{kind.name} {job.id}, attempt {job.attempts}",
            job_id=id,
        )

    async def _hear(self, word: str, id: str | None = None) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        said: dict[str, Any] = json.loads(line)
        if word not in said or (id is not None and said[word] != id):
            raise OSError(f"helper {self.pid} said {line[:100]!r} where {word!r} was expected")
        return said

    async def end(self) -> None:
        """Ends the helper, which kills its horse first. After END_SECONDS it is killed; the kernel ends the horse."""
        try:
            with suppress(ProcessLookupError):
                self._process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await self._process.wait()
        finally:
            if self._process.returncode is None:
                with suppress(ProcessLookupError):
                    self._process.kill()


def _described(kind: JobKind) -> dict[str, object]:
    assert kind.isolated is not None
    return {
        "target": kind.isolated.target,
        "megabytes": kind.isolated.memory_megabytes,
        "cpu_seconds": kind.isolated.cpu_seconds,
        "seconds": kind.timeout_seconds,
    }


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith("LC_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
