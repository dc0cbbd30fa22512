"""The client's way in this process: the platform of these settings answers as `ogel api` would, without a socket."""

from __future__ import annotations

import asyncio
import getpass
import sys
import threading
from collections.abc import Mapping, MutableMapping
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from ogel.cli.client import MOST_BYTES, Answer
from ogel.cli.process import event_loop
from ogel.kernel.errors import OgelError, Unavailable

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from ogel.settings import Settings


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
        # Any key will do.
        headers = {"authorization": "Bearer operator", **headers}
        answering = asyncio.run_coroutine_threadsafe(
            _answer(app, method, target, headers, body or b"", seconds), loop
        )
        try:
            return answering.result()
        except BaseException:  # Ctrl-C: nobody waits for it any more
            answering.cancel()
            raise

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
        async with api(self._settings, f"cli:{getpass.getuser()}") as app:
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
    path, _, query = target.partition("?")
    sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "root_path": "",
        "query_string": query.encode("ascii"),
        "headers": [*sent, (b"content-length", b"%d" % len(body))],
        "client": None,
        "server": None,
    }
    collected = _Collected(body)
    try:
        async with asyncio.timeout(seconds):
            await app(scope, collected.receive, collected.send)
    except TimeoutError:
        raise Unavailable(f"Nothing was answered within {seconds:g} s.") from None
    return collected.answer()


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
            headers = message.get("headers", ())
            self._headers = {str(name, "latin-1").lower(): str(value, "latin-1") for name, value in headers}
            return
        piece = message.get("body", b"")
        self._size += len(piece)
        if self._size > MOST_BYTES:
            raise OgelError(f"the answer has more than {MOST_BYTES >> 20} MiB")
        self._pieces.append(piece)

    def answer(self) -> Answer:
        return Answer(self._status, self._headers, b"".join(self._pieces))
