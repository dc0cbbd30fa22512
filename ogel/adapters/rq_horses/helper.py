"""
The helper: a process beside a worker that performs isolated jobs in forked work-horses, one after the other.

It is RQ's forking `Worker` on a queue that nobody else serves, and has one thread, so that forking is safe. It tells
what it does on its standard output, a JSON object to a line, and lives no longer than its standard input is open: that
says whether the worker is there, whatever became of Redis.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from contextlib import suppress
from typing import Any, NoReturn

import redis
from rq import Queue, Worker, worker_registration
from rq.exceptions import StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker_registration import REDIS_WORKER_KEYS

from ogel.adapters.rq_horses import horse
from ogel.adapters.rq_horses.horse import MOST_RESULT_BYTES
from ogel.adapters.rq_horses.keys import SOCKET_TIMEOUT_SECONDS, forget
from ogel.adapters.rq_horses.order import Order

# The largest JSON of a function's result, with what surrounds it.
MOST_ANSWER_BYTES = MOST_RESULT_BYTES + 64
# Seconds between looks at RQ's commands while a horse runs. Its end and the worker's are noticed at once.
TICK_SECONDS = 1.0
HEARTBEAT_SECONDS = 10
# Seconds between heartbeats while idle.
LISTEN_SECONDS = 5
# How long RQ believes that a silent helper is alive; it adds a minute to the value it gets.
WORKER_TTL_SECONDS = 30
_RQ_ADDS_SECONDS = 60


def main() -> None:
    """
    The first line of standard input: {redis_url, name, parent, secret, remote_shutdown, kinds: {kind: {target,
    …limits}}}.
    """
    control, answers = 0, os.dup(1)
    os.dup2(2, 1)  # what a function prints is no answer
    with os.fdopen(control, "rb", buffering=0, closefd=False) as first:
        told = json.loads(first.readline())
    horse.die_with(told["parent"], signal.SIGTERM)
    connection = redis.Redis.from_url(told["redis_url"], socket_connect_timeout=SOCKET_TIMEOUT_SECONDS)
    worker = HorseWorker(told, connection, control, answers)
    try:
        worker.work(logging_level="WARNING")
    finally:
        worker.end_horse()
        with suppress(redis.RedisError, OSError):
            forget(connection, told["name"])


class HorseWorker(Worker):
    def __init__(self, told: dict[str, Any], connection: redis.Redis, control: int, answers: int) -> None:
        super().__init__(
            [told["name"]],
            name=told["name"],
            connection=connection,
            job_class=Order,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_SECONDS - _RQ_ADDS_SECONDS,
            job_monitoring_interval=HEARTBEAT_SECONDS,
            log_job_description=False,
        )
        Order.secret = told["secret"]
        self._performed = 0
        self._remote_shutdown: bool = told["remote_shutdown"]
        self.max_connection_wait_time = 2.0
        self._kinds: dict[str, dict[str, Any]] = told["kinds"]
        self._control, self._answers = control, answers
        self._own_pid = os.getpid()
        self._registered = False
        self._answer_to = -1
        # The reason why we ended the running horse, if we did.
        self._ended_because: str | None = None
        self._signals, to_signals = os.pipe()
        os.set_blocking(self._signals, False)
        os.set_blocking(to_signals, False)
        signal.set_wakeup_fd(to_signals)

    # --- one job

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        while True:
            try:
                return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)
            except ValueError as error:  # an id that is none; Order refuses the rest
                self.log.warning("%s: not an order: %s", self.name, error)

    def execute_job(self, job: Job, queue: Queue) -> None:
        assert isinstance(job, Order)
        if job.number <= self._performed:  # somebody put it there again
            self.log.warning("%s: %s was performed already", self.name, job.id)
            return
        self._performed = job.number
        kind = self._kinds[job.kind]
        job.origin, job.timeout = queue.name, kind["seconds"]
        execution = self.prepare_execution(job)
        self.prepare_job_execution(job, remove_from_intermediate_queue=True)
        # RQ removes the expiry of a running job's keys; ours must expire even if no process is left to delete them.
        self.connection.expire(job.key, int(kind["seconds"]) + 60)
        self._ended_because = None
        self._hear_commands()  # a command to kill the horse was not meant for this one, if it is older
        answer_from, self._answer_to = os.pipe()
        try:
            self.fork_work_horse(job, queue)
            os.close(self._answer_to)
            self._tell({"started": job.id, "pid": self.horse_pid})
            ended = self._ended(kind, *self._watch(job, execution, kind["seconds"], answer_from))
        finally:
            os.close(answer_from)
        self._tell({"ended": job.id, **ended})
        with self.connection.pipeline() as pipeline:
            self.cleanup_execution(job, pipeline=pipeline, execution=execution)
            pipeline.delete(job.key, f"rq:executions:{job.id}")
            if "error" in ended:
                self.increment_failed_job_count(pipeline)
            else:
                self.increment_successful_job_count(pipeline)
            pipeline.execute()
        self.set_state("idle")

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        super().fork_work_horse(job, queue)
        # The horse does the same. Whoever is first, from now on there is a process group to kill.
        with suppress(OSError):
            os.setpgid(self.horse_pid, self.horse_pid)

    def main_work_horse(self, job: Job, queue: Queue) -> NoReturn:
        assert isinstance(job, Order)
        os.close(self._answers)
        horse.run(json.loads(job.payload), self._kinds[job.kind], self._answer_to, self._own_pid)

    def _watch(
        self, job: Job, execution: Execution, seconds: float, answer_from: int
    ) -> tuple[bytes, int, float]:
        """Returns the horse's answer, its exit status (see waitpid(2)), and its seconds of CPU time."""
        deadline, answer = time.monotonic() + seconds, bytearray()
        heartbeat_at = time.monotonic() + HEARTBEAT_SECONDS
        os.set_blocking(answer_from, False)
        poller = select.poll()
        for source in (answer_from, self._signals, self._control):
            poller.register(source, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 and self._ended_because is None:
                self.end_horse(f"not finished within {seconds:g} s")
            wait = TICK_SECONDS if self._ended_because else min(TICK_SECONDS, left)
            ready = {source for source, _ in poller.poll(1000 * wait)}
            if self._control in ready:
                self._leave()  # it says nothing more, so it was closed: the worker is gone
            if self._signals in ready:
                os.read(self._signals, 4096)
            if answer_from in ready and not _read(answer_from, answer):
                poller.unregister(answer_from)
            if len(answer) > MOST_ANSWER_BYTES and self._ended_because is None:
                self.end_horse(f"its result is larger than {MOST_RESULT_BYTES} bytes")
            pid, status, usage = os.wait4(self.horse_pid, os.WNOHANG)
            if pid:
                self._kill_group()  # what it has started and left behind
                self._horse_pid = 0
                _read(answer_from, answer)
                return bytes(answer), status, usage.ru_utime + usage.ru_stime
            # Without Redis the horse continues, and its answer does not need Redis.
            with suppress(redis.RedisError, OSError):
                self._hear_commands()
                if time.monotonic() >= heartbeat_at:
                    heartbeat_at = time.monotonic() + HEARTBEAT_SECONDS
                    self.maintain_heartbeats(job, execution)

    def _ended(self, kind: dict[str, Any], answer: bytes, status: int, cpu_seconds: float) -> dict[str, Any]:
        """Returns {value} or {error}, with a message for readers of the job's last error."""
        if self._ended_because is not None:
            return {"error": self._ended_because}
        out_of_memory = f"needed more than {kind['megabytes']} MB of memory"
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number == signal.SIGXCPU or (number == signal.SIGKILL and cpu_seconds > kind["cpu_seconds"]):
                return {"error": f"used up its {kind['cpu_seconds']} s of processor time"}
            name = signal.Signals(number).name
            hint = ", as the system does when memory runs out" if number == signal.SIGKILL else ""
            return {"error": f"its process was killed by {name}{hint}"}
        if not answer:
            return {"error": f"its process ended without an answer (exit code {os.WEXITSTATUS(status)})"}
        try:
            said: dict[str, Any] = json.loads(answer)
        except ValueError:
            return {"error": "its process ended in the middle of its answer"}
        return {"error": out_of_memory} if "out_of_memory" in said else said

    # --- the end of a horse, and ours

    def end_horse(self, because: str | None = None) -> None:
        if self.horse_pid:
            self._ended_because = because
            self._kill_group()

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """RQ's `kill-horse` and `stop-job`."""
        self.end_horse("its process was killed by a command given through RQ")

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.horse_pid, signal.SIGKILL)

    def _leave(self, *_: object) -> None:
        if os.getpid() != self._own_pid:
            os._exit(1)  # a horse that has not yet its own manners
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        self.end_horse()
        raise StopRequested

    def _tell(self, what: dict[str, Any]) -> None:
        line = json.dumps(what).encode() + b"\n"
        while line:
            line = line[os.write(self._answers, line) :]

    # --- what RQ's worker does otherwise

    @property
    def dequeue_timeout(self) -> int:
        return LISTEN_SECONDS

    def _install_signal_handlers(self) -> None:
        signal.signal(signal.SIGTERM, self._leave)
        signal.signal(signal.SIGINT, self._leave)  # what RQ's `shutdown` command comes as
        signal.signal(signal.SIGCHLD, lambda *_: None)  # it has to be caught to be told of

    def register_birth(self) -> None:
        super().register_birth()  # type: ignore[no-untyped-call]
        self._registered = True
        self._tell({"ready": True})

    def register_death(self) -> None:
        self._registered = False
        super().register_death()  # type: ignore[no-untyped-call]

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        super().heartbeat(WORKER_TTL_SECONDS, pipeline)
        if pipeline is not None:
            return
        self._hear_commands()
        if self._registered and not self._is_known():
            with self.connection.pipeline() as again:
                again.hset(self.key, mapping=self.serialize())
                worker_registration.register(self, again)
                again.expire(self.key, WORKER_TTL_SECONDS)
                again.execute()

    def _is_known(self) -> bool:
        """Returns False when Redis was flushed, or forgot a helper that was silent for too long."""
        with self.connection.pipeline(transaction=False) as pipeline:
            pipeline.hexists(self.key, "birth")
            pipeline.sismember(REDIS_WORKER_KEYS, self.key)
            return all(pipeline.execute())

    def subscribe(self) -> None:
        """Subscribes without RQ's thread, because a process that forks must have only one."""
        self.pubsub = self.connection.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self.pubsub.subscribe(self.pubsub_channel_name)

    def unsubscribe(self) -> None:
        if self.pubsub is not None:
            self.pubsub.close()

    def _hear_commands(self) -> None:
        while self.pubsub is not None and (message := self.pubsub.get_message(timeout=0.0)) is not None:
            from ogel.adapters.rq_commands import obey  # few helpers are ever given one

            obey(self, message, remote_shutdown=self._remote_shutdown)

    def get_current_job_id(self) -> str | None:
        """Returns the id that we know: anybody may have written what Redis says about our executions."""
        return next((execution.job_id for execution in self.executions.values()), None)

    def run_maintenance_tasks(self) -> None:
        """Does nothing: the worker cleans up after dead helpers, before it starts its first one."""

    def check_for_suspension(self, burst: bool) -> None:
        """Does nothing: the runner obeys the suspension, and jobs it has claimed are performed."""

    def procline(self, message: str) -> None:
        """Does nothing: the title stays the command line, which operators recognise."""


def _read(source: int, into: bytearray) -> bool:
    """Reads what is there, up to the limit. Returns False at the end of the input."""
    while len(into) <= MOST_ANSWER_BYTES:
        try:
            data = os.read(source, 65536)
        except BlockingIOError:
            return True
        if not data:
            return False
        into += data
    return True


if __name__ == "__main__":
    main()
