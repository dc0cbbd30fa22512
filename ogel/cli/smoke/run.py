"""One run: every step within its time, what each said, and everything put away at the end."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Sequence

from msgspec import Struct

from ogel.cli.client import Transport
from ogel.cli.profiles import Remote
from ogel.cli.smoke import reaching, running, work
from ogel.cli.smoke.asking import Deadline, Suite
from ogel.cli.smoke.delivering import Courier
from ogel.cli.smoke.hearing import ear
from ogel.cli.smoke.leftovers import clear_buckets, clear_endpoints
from ogel.cli.smoke.parts import ALWAYS, PARTS, Part
from ogel.cli.smoke.problem import EXIT_CODES, Cause, Problem
from ogel.cli.smoke.storing import Shelf

# Kept of the time for putting away what was made.
END_SECONDS = 3.0
# How long it may take until a clock, and workers, of a deployment that has just begun are seen.
PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 1.0
# For telling how it went.
_LAST_SECONDS = 0.5
_WAITED_FOR = ("unreachable", "tls", "no_application", "not_ready", "version")


class Wanted(Struct, frozen=True):
    """
    remote      what is asked, with which key; `realtime` where the WebSocket is another service's.
    version, commit   what has to run there; None: whatever does.
    seconds     for everything; `wait_seconds` before that, until it is ready and what has to run there runs.
    parts       those that are not left out.
    """

    remote: Remote
    realtime: str | None
    version: str | None
    commit: str | None
    seconds: float
    wait_seconds: float
    parts: Collection[Part]

    @property
    def scopes(self) -> Collection[str]:
        return sorted({*ALWAYS, *(scope for part in self.parts for scope in PARTS[part])})


class Step(Struct, frozen=True, kw_only=True):
    name: str
    ok: bool
    cause: Cause | None = None
    seconds: float
    detail: str


class Outcome(Struct, frozen=True):
    """`cause`, with its `code`, is that of the first step that failed."""

    ok: bool
    cause: Cause | None
    code: int
    url: str
    version: str | None
    seconds: float
    steps: Sequence[Step]


class Run:
    """`say` is told of each step when it is over."""

    def __init__(self, wanted: Wanted, transport: Transport, say: Callable[[Step], None]) -> None:
        self._wanted = wanted
        self._transport = transport
        self._say = say
        self._steps: list[Step] = []
        self._version: str | None = None

    def outcome(self) -> Outcome:
        began = time.monotonic()
        seconds = self._wanted.seconds - _LAST_SECONDS
        whole = Suite(self._transport, Deadline(self._wanted.wait_seconds + seconds))
        if self._step("reached", lambda: self._reached(whole)):
            self._look(Suite(self._transport, whole.deadline.within(seconds)))
        failed = next((step for step in self._steps if not step.ok), None)
        cause = None if failed is None else failed.cause
        code = 0 if cause is None else EXIT_CODES[cause]
        seconds = round(time.monotonic() - began, 3)
        return Outcome(
            failed is None, cause, code, self._wanted.remote.url, self._version, seconds, self._steps
        )

    def _reached(self, suite: Suite) -> str:
        """Once at least; while there is time to wait, again where waiting helps."""
        waits = Deadline(self._wanted.wait_seconds)
        while True:
            try:
                return self._reached_once(suite)
            except Problem as problem:
                if waits.left <= 0 or problem.cause not in _WAITED_FOR:
                    raise
            time.sleep(min(_PAUSE_SECONDS, waits.left))

    def _reached_once(self, suite: Suite) -> str:
        said = reaching.reach(suite)
        if self._wanted.wait_seconds and (self._wanted.version or self._wanted.commit):
            # The process before answers until the edge turns to the new one.
            self._expected(running.running(suite))
        return said

    def _look(self, end: Suite) -> None:
        """`end` has the whole time, which the steps leave something of for putting away what they made."""
        suite = Suite(self._transport, end.deadline.within(end.deadline.left - END_SECONDS))
        found: running.Running | None = None

        def admitted() -> str:
            nonlocal found
            said = running.admitted(suite, self._wanted.scopes)
            found = running.running(suite)
            self._version = found.version
            return said

        self._step("health", lambda: reaching.health(suite))
        if not self._step("key", admitted) or found is None:
            return
        there, patience = found, suite.deadline.within(min(PATIENCE_SECONDS, suite.deadline.left / 3))
        self._step("version", lambda: self._expected(there))
        self._step("schema", lambda: running.schema(there))
        self._part("schedules", lambda: work.schedules(suite, there.since, patience))
        self._part("queues", lambda: work.queues(suite, patience))
        self._make(suite, end)

    def _expected(self, found: running.Running) -> str:
        return running.expected(found, self._wanted.version, self._wanted.commit)

    def _make(self, suite: Suite, end: Suite) -> None:
        """What leaves something behind, unless it is put away."""
        courier, shelf = Courier(suite, f"smoke-{secrets.token_hex(8)}"), Shelf(suite)
        try:
            if {"delivery", "realtime"} & {*self._wanted.parts}:
                self._deliver(suite, courier)
            self._part("storage", shelf.store)
        finally:
            self._step("put away", lambda: self._put_away(end, courier, shelf))

    def _deliver(self, suite: Suite, courier: Courier) -> None:
        with ear(self._ear_at, courier.event_id) as listening:
            if "realtime" in self._wanted.parts:
                listening.begin(suite.deadline)

            def publish() -> str:
                if "delivery" in self._wanted.parts:
                    courier.listen()
                return courier.publish()

            if self._step("event", publish):
                self._part("delivery", courier.receive)
                self._part("realtime", lambda: listening.heard(suite.deadline))

    @property
    def _ear_at(self) -> Remote:
        remote, elsewhere = self._wanted.remote, self._wanted.realtime
        return remote if elsewhere is None else Remote(elsewhere, remote.key)

    def _put_away(self, end: Suite, courier: Courier, shelf: Shelf) -> str:
        courier.remove(end)
        shelf.remove(end)
        left = 0
        if "delivery" in self._wanted.parts:
            left += clear_endpoints(end)
        if "storage" in self._wanted.parts:
            left += clear_buckets(end)
        return f"nothing is left{f'; {left} of earlier runs are gone' if left else ''}"

    def _part(self, part: Part, do: Callable[[], str]) -> None:
        if part in self._wanted.parts:
            self._step(part, do)

    def _step(self, name: str, do: Callable[[], str]) -> bool:
        began = time.monotonic()
        cause: Cause | None = None
        try:
            detail = do()
        except Problem as problem:
            cause, detail = problem.cause, problem.message
        seconds = round(time.monotonic() - began, 3)
        step = Step(name=name, ok=cause is None, cause=cause, seconds=seconds, detail=detail)
        self._steps.append(step)
        self._say(step)
        return step.ok
