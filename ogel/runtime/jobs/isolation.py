"""Isolated jobs, which must not share a process: their limits, and the port of what performs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from ogel.runtime.jobs.job import Job, Outcome
    from ogel.runtime.jobs.kind import JobKind

# Megabytes. A bare interpreter takes half of this.
LEAST_MEGABYTES = 64


class Isolation(Struct, frozen=True):
    """
    A process of its own for each attempt, forked and ended. What limits the wall clock is the kind's
    `timeout_seconds`.

    target            "package.module:function", which is synchronous: `(payload) -> JSON, or None`. Its process knows
                      the payload and nothing else: no settings, no secrets, no connection. What it returns is the
                      value and the result of the outcome; processes it starts must end with it.
    memory_megabytes  of data (heap and anonymous maps, not code) the process may have; more is a MemoryError in it.
    cpu_seconds       of processor time.
    """

    target: str
    memory_megabytes: int = 256
    cpu_seconds: int = 60

    def __post_init__(self) -> None:
        module, _, function = self.target.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), function)):
            raise ValueError(f"a target is package.module:function, not {self.target!r}")
        if self.memory_megabytes < LEAST_MEGABYTES or self.cpu_seconds < 1:
            raise ValueError(f"{self.target}: at least {LEAST_MEGABYTES} MB and 1 s of CPU")


class Isolator(Protocol):
    """
    Performs jobs of isolated kinds, each in a process of its own, which ends when the wait for it ends, for any reason.
    """

    async def perform(self, kind: JobKind, job: Job) -> Outcome: ...
