"""The client's way in this process: the platform of these settings answers as `ogel api` would, without a socket."""

from __future__ import annotations

import asyncio
import dataclasses
import getpass
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from concurrent.futures import Future
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from ogel.cli.client import MOST_BYTES, Answer, Streamed
from ogel.cli.process import event_loop
from ogel.kernel.errors import OgelError, Unavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ogel.settings import Settings


# For Postgres to answer: somebody sits and waits, and a server that takes longer is away, which is worth saying.
PATIENCE_SECONDS = 10.0
# Any key will do.
_ANY_KEY = {"authorization": "Bearer operator"}
# Of an answer that is read more slowly than it comes; a piece is some hundred KiB at most.
_PIECES = 4


class InProcess:
    """
    An event loop in a thread of its own, so that what the platform does beside a request goes on between requests.
    The operator is `cli:<user>`, and may do everything.
    """

    where = "Ogel, in this process,"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, ASGIApp]] = Future()
        self._thread = threading.Thread(target=self._run, name="platform", daemon=True)

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Answer:
        loop, _, app = self._ready.result()
        answering = asyncio.run_coroutine_threadsafe(
            _answer(app, method, target, {**_ANY_KEY, **headers}, body or b"", seconds), loop
        )
        try:
            return answering.result()
        except BaseException:  # Ctrl-C: nobody waits for it any more
            answering.cancel()
            raise

    @contextmanager
    def stream(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Iterable[bytes] | None,
        seconds: float,
    ) -> Iterator[Streamed]:
        loop, _, app = self._ready.result()
        passing = _Passing(loop, iter(body or ()), seconds)
        scope = _scope(method, target, {**_ANY_KEY, **headers})
        answering = asyncio.run_coroutine_threadsafe(passing.run(app, scope), loop)
        try:
            yield passing.answer()
        finally:
            answering.cancel()  # where the answer has not ended

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._ready.done() and self._ready.exception() is None:
            loop, stop, _ = self._ready.result()
            loop.call_soon_threadsafe(stop.set)
            self._thread.join()

    def _run(self) -> None:
        try:
            _log_quietly(self._settings)
            with event_loop() as runner:
                runner.run(self._serve())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self) -> None:
        from ogel.operators import api

        stop = asyncio.Event()
        patience = min(self._settings.connect_seconds, PATIENCE_SECONDS)
        settings = dataclasses.replace(self._settings, connect_seconds=patience)
        async with api(settings, f"cli:{getpass.getuser()}") as app:
            self._ready.set_result((asyncio.get_running_loop(), stop, app))
            await stop.wait()


def _log_quietly(settings: Settings) -> None:
    """Errors alone, on stderr: stdout is for the answer, and what a request met is said in the answer."""
    from ogel.environ import secrets_of
    from ogel.runtime.log.setup import configure_logging
    from ogel.runtime.secrets.scrub import Scrubber

    configure_logging("error", sys.stderr, settings.log_form, Scrubber(secrets_of(settings)))


async def _answer(
    app: ASGIApp, method: str, target: str, headers: Mapping[str, str], body: bytes, seconds: float
) -> Answer:
    scope = _scope(method, target, headers)
    scope["headers"].append((b"content-length", b"%d" % len(body)))
    collected = _Collected(body)
    try:
        async with asyncio.timeout(seconds):
            await app(scope, collected.receive, collected.send)
    except TimeoutError:
        raise Unavailable(f"Nothing was answered within {seconds:g} s.") from None
    return collected.answer()


def _scope(method: str, target: str, headers: Mapping[str, str]) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "root_path": "",
        "query_string": query.encode("ascii"),
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
        ],
        "client": None,
        "server": None,
    }


class _Collected:
    """An answer as the application sends it, and the request's body as it asks for it."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self._status = 500
        self._headers: Mapping[str, str] = {}
        self._pieces: list[bytes] = []
        self._size = 0

    async def receive(self) -> dict[str, Any]:
        if self._body is None:
            await asyncio.Event().wait()  # nobody leaves before the answer is there
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = _by_name(message)
            return
        piece = message.get("body", b"")
        self._size += len(piece)
        if self._size > MOST_BYTES:
            raise OgelError(f"the answer has more than {MOST_BYTES >> 20} MiB")
        self._pieces.append(piece)

    def answer(self) -> Answer:
        return Answer(self._status, self._headers, b"".join(self._pieces))


class _Passing:
    """
    A request and its answer, a few pieces at a time: the application waits in its loop while the caller's thread is
    slower, and the caller waits in its thread while the application is.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, body: Iterator[bytes], seconds: float) -> None:
        self._loop = loop
        self._body: Iterator[bytes] | None = body
        self._seconds = seconds
        self._moved_at = time.monotonic()
        self._broken_off: Exception | None = None
        self._head: Future[tuple[int, Mapping[str, str]]] = Future()
        # None: the answer has ended; an exception: it was broken off.
        self._pieces: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(_PIECES)

    async def run(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        ending: Exception | None = None
        try:
            await app(scope, self._receive, self._send)
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is read
            ending = error
        ending = self._broken_off or ending
        if not self._head.done():
            self._head.set_exception(ending or OgelError("Nothing was answered."))
        await self._pieces.put(ending)

    def answer(self) -> Streamed:
        """Once it begins. Raises Unavailable when neither side has moved for so many seconds."""
        while True:
            try:
                status, headers = self._head.result(self._moved_at + self._seconds - time.monotonic())
            except TimeoutError:
                if time.monotonic() - self._moved_at < self._seconds:
                    continue
                raise Unavailable(f"Nothing was answered within {self._seconds:g} s.") from None
            return Streamed(status, headers, self._read())

    def _read(self) -> Iterator[bytes]:
        while True:
            taking = asyncio.run_coroutine_threadsafe(self._pieces.get(), self._loop)
            try:
                piece = taking.result(self._seconds)
            except TimeoutError:
                taking.cancel()
                raise Unavailable(f"Nothing came within {self._seconds:g} s.") from None
            if piece is None:
                return
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def _receive(self) -> dict[str, Any]:
        if self._body is None:
            await asyncio.Event().wait()  # nobody leaves before the answer is there
            raise AssertionError("only a cancellation ends that")
        try:
            piece = await asyncio.to_thread(next, self._body, None)
        except OSError as error:  # the caller's: a file that cannot be read on
            self._broken_off = error
            return {"type": "http.disconnect"}
        self._moved_at = time.monotonic()
        if piece is None:
            self._body = None
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._head.set_result((message["status"], _by_name(message)))
        elif piece := message.get("body", b""):
            await self._pieces.put(piece)


def _by_name(start: Mapping[str, Any]) -> Mapping[str, str]:
    headers = start.get("headers", ())
    return {str(name, "latin-1").lower(): str(value, "latin-1") for name, value in headers}
