"""Names to addresses: the system's resolver, with limits of our own, and a verdict on whose fault a failure is."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from ogel.adapters.egress.addresses import LOCAL_NAMES
from ogel.adapters.egress.system_names import Answer, HostsAnswer, in_daemon_thread, system_look_up
from ogel.adapters.egress.witnesses import Witnesses
from ogel.runtime.egress import EgressError

LOOK_UP_SECONDS = 5.0
MAX_CONCURRENT = 32
MAX_SUSPECT = 8  # of these, for names whose servers lately kept us waiting
SUSPECT_SECONDS = 60.0
MAX_WAITING = 1024
CACHE_SECONDS = 5.0
CACHE_ENTRIES = 1024

SLOW_SECONDS = 0.5  # a look-up without an answer for so long has the control question asked beside it
CONTROL_SECONDS = 2.0
CONTROL_FRESH_SECONDS = 1.0
# Reserved for such uses (RFC 2606) and in the public DNS; the random label before it is in no cache.
CONTROL_ZONE = "example.com"
# Answers about the name itself. All others (EAI_AGAIN, EAI_FAIL, silence) may be the fault of our name servers.
_DECISIVE = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME), socket.EAI_FAMILY}


class Resolver(Protocol):
    def cached(self, host: str) -> Answer | None:
        """Returns a cached answer that is still valid, without waiting."""

    async def resolve(self, host: str) -> Answer:
        """Addresses in the order in which to try them. Raises EgressError("dns")."""

    def is_silent(self, host: str) -> bool:
        """
        While a look-up of `host` is under way: whether its failure would be our side's fault, as far as is known now.
        """


@dataclass(slots=True)
class _LookUp:
    """
    suspect  it may use the suspects' threads only.
    began    in time.monotonic(); None while it waits for a thread.
    """

    suspect: bool
    task: asyncio.Task[Answer] = field(init=False)
    began: float | None = None


class SystemResolver:
    """getaddrinfo in threads; requests for the same name share one look-up, and its answer for a few seconds.

    Whose fault. NXDOMAIN and "no address" are answers about the name: the receiver's fault. EAI_AGAIN, EAI_FAIL
    and silence are what the C library says both when this one name's servers are broken and when there is no DNS
    at all. So they are the receiver's only if the same name servers answered about another name while this
    look-up was under way (or within the second before it). If no other look-up happens to tell, a control question
    is asked: a random name below example.com, which no cache on the way can know; that it does not exist is
    an answer, too. When that brings nothing either, there is no DNS, and the failure is ours. Names that a hosts
    file or a private zone may answer (one label, `*.internal`, …) prove nothing about DNS and are not counted.
    What fails here (no thread, no file descriptor, too many look-ups) is always ours.

    Names below a domain that lately let a look-up run into its limit share a part of the threads, so that they
    cannot hold up all others.
    """

    def __init__(
        self, look_up: Callable[[str], Answer] | None = None, *, limit_seconds: float = LOOK_UP_SECONDS
    ) -> None:
        self._look_up = look_up or system_look_up
        self._limit_seconds = limit_seconds
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        self._suspect_slots = asyncio.Semaphore(MAX_SUSPECT)
        self._suspects: dict[str, float] = {}
        self._running: dict[str, _LookUp] = {}
        self._control: asyncio.Task[Answer] | None = None
        self._control_ends = 0.0
        self._witnesses = Witnesses()
        self._cache: dict[str, tuple[float, Answer]] = {}

    def cached(self, host: str) -> Answer | None:
        found = self._cache.get(host)
        return found[1] if found is not None and time.monotonic() < found[0] else None

    async def resolve(self, host: str) -> Answer:
        look_up = self._shared(host)
        # `wait` leaves the task alone when it gives up: the others waiting for this name must not lose it.
        slow_seconds = min(SLOW_SECONDS, self._limit_seconds)
        await asyncio.wait((look_up.task,), timeout=slow_seconds)
        if not look_up.task.done():
            self._ask_control()
            await asyncio.wait((look_up.task,), timeout=self._limit_seconds - slow_seconds)
        if not look_up.task.done():
            ours = await self._is_ours(host, look_up)
            if not ours:
                self._suspect(host)
            raise EgressError("dns", f"the name was not resolved within {self._limit_seconds:g} s", ours=ours)
        error = look_up.task.exception()
        if error is None:
            return look_up.task.result()
        if isinstance(error, socket.gaierror):
            ours = error.errno not in _DECISIVE and await self._is_ours(host, look_up)
            raise EgressError("dns", _explained(error), detail=str(error), ours=ours) from error
        # UnicodeError is the name's fault. OSError and RuntimeError mean that we have no file descriptor or thread.
        ours = not isinstance(error, UnicodeError)
        raise EgressError("dns", "the name could not be resolved", detail=str(error), ours=ours) from error

    def is_silent(self, host: str) -> bool:
        look_up = self._running.get(host)
        return look_up is not None and not self._is_blamed(host, look_up)

    def _shared(self, host: str) -> _LookUp:
        look_up = self._running.get(host)
        if look_up is None:
            if len(self._running) >= MAX_WAITING:
                raise EgressError("dns", "too many names are being resolved at once", ours=True)
            suspect = self._suspects.get(_domain(host), 0) > time.monotonic()
            look_up = self._running[host] = _LookUp(suspect)
            look_up.task = asyncio.get_running_loop().create_task(self._answer(host, look_up))
            look_up.task.add_done_callback(partial(self._finished, host))
        return look_up

    async def _answer(self, host: str, look_up: _LookUp) -> Answer:
        async with AsyncExitStack() as held:
            # Released when the thread ends, not when the callers give up, because it limits threads.
            if look_up.suspect:
                await held.enter_async_context(self._suspect_slots)
            await held.enter_async_context(self._slots)
            look_up.began = time.monotonic()
            return await in_daemon_thread(partial(self._look_up, host))

    def _finished(self, host: str, task: asyncio.Task[Answer]) -> None:
        del self._running[host]
        self._testify(host, task)
        # Asking for the exception also marks it as seen when nobody waits any more.
        if task.cancelled() or task.exception() is not None:
            return
        self._cache.pop(host, None)
        if len(self._cache) >= CACHE_ENTRIES:
            del self._cache[next(iter(self._cache))]
        self._cache[host] = (time.monotonic() + CACHE_SECONDS, task.result())

    def _testify(self, host: str, task: asyncio.Task[Answer]) -> None:
        if task.cancelled() or "." not in host or host.endswith(_PRIVATE_ENDINGS):
            return
        error = task.exception()
        if error is None and isinstance(task.result(), HostsAnswer):
            return
        if error is None or (isinstance(error, socket.gaierror) and error.errno in _DECISIVE):
            self._witnesses.heard(host)

    def _is_blamed(self, host: str, look_up: _LookUp) -> bool:
        if look_up.began is None:
            return (
                look_up.suspect
            )  # Nobody was asked yet: its like hold the suspects' threads, or all ran out.
        return self._witnesses.last_for_others(host) >= look_up.began - CONTROL_FRESH_SECONDS

    async def _is_ours(self, host: str, look_up: _LookUp) -> bool:
        if look_up.began is not None and not self._is_blamed(host, look_up):
            control = self._ask_control()
            await asyncio.wait((control,), timeout=self._control_ends - time.monotonic())
        return not self._is_blamed(host, look_up)

    def _ask_control(self) -> asyncio.Task[Answer]:
        """
        Looks up the control name. One at a time, on a thread of its own, since all others may be blocked by names that
        never answer.
        """
        if self._control is None or self._control.done():
            host = f"ogel-{secrets.token_hex(6)}.{CONTROL_ZONE}"
            work = in_daemon_thread(partial(self._look_up, host))
            self._control = asyncio.get_running_loop().create_task(work)
            self._control.add_done_callback(partial(self._testify, host))
            self._control_ends = time.monotonic() + CONTROL_SECONDS
        return self._control

    def _suspect(self, host: str) -> None:
        domain = _domain(host)
        self._suspects.pop(domain, None)
        if len(self._suspects) >= CACHE_ENTRIES:
            del self._suspects[next(iter(self._suspects))]
        self._suspects[domain] = time.monotonic() + SUSPECT_SECONDS


_PRIVATE_ENDINGS = tuple(f".{name}" for name in LOCAL_NAMES)


def _domain(host: str) -> str:
    """Returns the last two labels: whoever controls them can make up any number of names below."""
    return ".".join(host.rsplit(".", 2)[-2:])


def _explained(error: socket.gaierror) -> str:
    return "the name does not exist" if error.errno in _DECISIVE else "the name servers did not answer"
