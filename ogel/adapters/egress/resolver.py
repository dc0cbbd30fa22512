"""Names to addresses: the system's resolver, with limits of our own."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from ogel.runtime.egress import EgressError

Answer = tuple[str, ...]

LOOK_UP_SECONDS = 5.0
MAX_CONCURRENT = 32
MAX_WAITING = 1024
CACHE_SECONDS = 5.0
CACHE_ENTRIES = 1024


class Resolver(Protocol):
    def cached(self, host: str) -> Answer | None:
        """An answer that is still good, without waiting."""

    async def resolve(self, host: str) -> Answer:
        """Addresses in the order in which to try them. Raises EgressError("dns")."""


class SystemResolver:
    """getaddrinfo in threads; requests for the same name share one look-up, and its answer for a few seconds.

    The threads are daemons: a look-up that hangs in the C library must not hold up the end of the process.
    """

    def __init__(
        self, look_up: Callable[[str], Answer] | None = None, *, limit_seconds: float = LOOK_UP_SECONDS
    ) -> None:
        self._look_up = look_up or system_look_up
        self._limit_seconds = limit_seconds
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        self._running: dict[str, asyncio.Task[Answer]] = {}
        self._cache: dict[str, tuple[float, Answer]] = {}

    def cached(self, host: str) -> Answer | None:
        found = self._cache.get(host)
        return found[1] if found is not None and time.monotonic() < found[0] else None

    async def resolve(self, host: str) -> Answer:
        try:
            async with asyncio.timeout(self._limit_seconds):
                # Shielded: the others waiting for this name must not lose it when one of them gives up.
                return await asyncio.shield(self._shared(host))
        except TimeoutError as error:
            raise EgressError("dns", f"the name was not resolved within {self._limit_seconds:g} s") from error
        except socket.gaierror as error:
            raise EgressError("dns", _explained(error), detail=str(error)) from error
        except (OSError, UnicodeError) as error:
            raise EgressError("dns", "the name could not be resolved", detail=str(error)) from error

    def _shared(self, host: str) -> asyncio.Task[Answer]:
        task = self._running.get(host)
        if task is None:
            if len(self._running) >= MAX_WAITING:
                raise EgressError("dns", "too many names are being resolved at once")
            task = asyncio.get_running_loop().create_task(self._answer(host))
            self._running[host] = task
            task.add_done_callback(partial(self._finished, host))
        return task

    async def _answer(self, host: str) -> Answer:
        # Held until the thread ends, not until the askers lose patience: it is the threads that are bounded.
        async with self._slots:
            return await _in_daemon_thread(partial(self._look_up, host))

    def _finished(self, host: str, task: asyncio.Task[Answer]) -> None:
        del self._running[host]
        # Asking for the exception also marks it as seen when nobody waits any more.
        if task.cancelled() or task.exception() is not None:
            return
        self._cache.pop(host, None)
        if len(self._cache) >= CACHE_ENTRIES:
            del self._cache[next(iter(self._cache))]
        self._cache[host] = (time.monotonic() + CACHE_SECONDS, task.result())


def system_look_up(host: str) -> Answer:
    """Blocks. In the order in which the system would try them (RFC 6724), each once."""
    # The dot makes the name absolute: no search domain turns `evil.test` into `evil.test.svc.cluster.local`.
    # Single labels (compose services, localhost) live in search domains and hosts files only.
    name = f"{host}." if "." in host else host
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def _explained(error: socket.gaierror) -> str:
    if error.errno == socket.EAI_AGAIN:
        return "the name servers did not answer"
    return "the name does not exist"


async def _in_daemon_thread(work: Callable[[], Answer]) -> Answer:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Answer] = loop.create_future()

    def settle(answer: Answer, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(answer)

    def run() -> None:
        answer: Answer = ()
        failure: Exception | None = None
        try:
            answer = work()
        except Exception as error:  # noqa: BLE001 - it is carried to the waiting coroutine, not handled here
            failure = error
        try:
            loop.call_soon_threadsafe(settle, answer, failure)
        except RuntimeError:
            return  # The loop was closed meanwhile, so nobody is waiting.

    threading.Thread(target=run, name="egress-resolver", daemon=True).start()
    return await future
