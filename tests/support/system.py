"""
The webhook server that the acceptance tests hold to their figures: what they need of it, and Ogel as the one that is.

Another server is plugged in by a class with the shape of `System`, made like `OgelSystem`, and
OGEL_TEST_SYSTEM=its.module:Class. The tests speak HTTP to it and look at what receivers saw; nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tests.support.process import ADMIN_KEY, Client, Ogel


@dataclass(frozen=True)
class Wanted:
    """
    What a test asks of a system, in words that any system can translate; None is the system's own default.

    workers                processes that deliver; 0: everything is in the one process that serves the API.
    schedulers             processes that do nothing but count the time, instead of the one that `scheduler` asks for.
    fast_clock             schedules may tick every second, and schedulers look ten times as often.
    in_flight              requests that one process has open at once.
    lease_seconds          after which a dead process' work is someone else's.
    retry_delays           seconds between the attempts of a delivery; one more attempt than delays.
    probe_seconds          between the attempts at an endpoint that is known to be down.
    disable_after_seconds  of nothing but failure, after which an endpoint is disabled.
    proxy                  URL of a proxy that every outgoing request goes through.
    reach_loopback         whether webhooks may go to 127.0.0.0/8, where the receivers are.
    """

    workers: int = 0
    scheduler: bool = False
    schedulers: int = 0
    fast_clock: bool = False
    in_flight: int | None = None
    lease_seconds: float | None = None
    retry_delays: Sequence[float] | None = None
    probe_seconds: float | None = None
    disable_after_seconds: float | None = None
    proxy: str | None = None
    reach_loopback: bool = True


class System(Protocol):
    """Running while its block runs. Processes have names; `api` is the one that answers at `base_url`."""

    base_url: str
    admin_key: str
    api: Client

    def __init__(self, directory: Path, wanted: Wanted, database_url: str, redis_url: str) -> None:
        """The database is empty but for Ogel's schema; a system of another make may leave it alone."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def pids(self) -> Mapping[str, int]:
        """Of the processes that run now, by name."""

    def kill(self, name: str) -> None:
        """kill -9; returns when the process is gone."""

    def restart(self, name: str) -> None:
        """Starts one that was killed, at the same address; returns when it is ready."""


class OgelSystem:
    def __init__(self, directory: Path, wanted: Wanted, database_url: str, redis_url: str) -> None:
        environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **_environment(wanted)}
        if wanted.workers or wanted.schedulers:
            commands = {"api": ["api"]}
            commands |= {f"worker-{n + 1}": ["worker", "webhooks"] for n in range(wanted.workers)}
            commands |= {f"scheduler-{n + 1}": ["scheduler"] for n in range(wanted.schedulers)}
            commands |= {"scheduler": ["scheduler"]} if wanted.scheduler else {}
        else:
            commands = {"api": ["api", "--with", "worker,scheduler"]}
        self._processes = {
            name: Ogel(*command, log=directory / f"{name}.log", **environment)
            for name, command in commands.items()
        }
        self.api = self._processes["api"].api
        self.base_url = f"http://127.0.0.1:{self.api.port}"
        self.admin_key = ADMIN_KEY

    def __enter__(self) -> Self:
        with ThreadPoolExecutor(len(self._processes)) as pool:
            starts = [pool.submit(process.start) for process in self._processes.values()]
        if failed := [error for start in starts if (error := start.exception())]:
            for name in self.pids:
                self.kill(name)
            raise failed[0]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as ending:
            # The API was started first and ends last.
            for process in self._processes.values():
                ending.push(process)

    @property
    def pids(self) -> Mapping[str, int]:
        return {
            name: each.process.pid
            for name, each in self._processes.items()
            if each.process is not None and each.process.poll() is None
        }

    def kill(self, name: str) -> None:
        self._processes[name].kill()

    def restart(self, name: str) -> None:
        self._processes[name].start()


def system_class() -> type[System]:
    module, _, name = os.environ.get("OGEL_TEST_SYSTEM", "tests.support.system:OgelSystem").partition(":")
    found: type[System] = getattr(import_module(module), name)
    return found


def _environment(wanted: Wanted) -> dict[str, str]:
    values = {
        "OGEL_WORKER_IN_FLIGHT": wanted.in_flight,
        "OGEL_LEASE_SECONDS": wanted.lease_seconds,
        "OGEL_WEBHOOK_RETRY_DELAYS": wanted.retry_delays and ",".join(map(str, wanted.retry_delays)),
        "OGEL_WEBHOOK_PROBE_SECONDS": wanted.probe_seconds,
        "OGEL_WEBHOOK_DISABLE_AFTER_SECONDS": wanted.disable_after_seconds,
        "OGEL_EGRESS_PROXY": wanted.proxy,
        "OGEL_SCHEDULE_LEAST_SECONDS": 1 if wanted.fast_clock else None,
        "OGEL_SCHEDULER_INTERVAL_SECONDS": 0.1 if wanted.fast_clock else None,
        "OGEL_WEBHOOK_ALLOW_NETS": "127.0.0.0/8" if wanted.reach_loopback else "",
    }
    return {name: str(value) for name, value in values.items() if value is not None}
