"""A WebSocket of the deployment, listened to beside everything else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from ogel.cli.profiles import Remote
from ogel.cli.smoke.asking import Deadline
from ogel.cli.smoke.delivering import TYPE
from ogel.cli.smoke.problem import Problem
from ogel.runtime.log.terminal import printable

if TYPE_CHECKING:
    import aiohttp

CONNECT_SECONDS = 8.0
HEAR_SECONDS = 8.0
_END_SECONDS = 2.0
_PATH = "/realtime/websocket"


class _Event(msgspec.Struct):
    id: str


class _Frame(msgspec.Struct):
    type: str
    event: _Event | None = None


class Ear:
    """Waits for one event, in a thread of its own."""

    def __init__(self, remote: Remote, event_id: str) -> None:
        self._remote = remote
        self._awaited = event_id
        self._ready: Future[None] = Future()
        self._heard: Future[str] = Future()
        self._stop: Callable[[], object] | None = None
        self._thread = threading.Thread(target=self._run, name="ear", daemon=True)

    def begin(self, deadline: Deadline) -> None:
        """Returns when what is published now will be heard, or it is known that it will not."""
        self._thread.start()
        wait([self._ready], deadline.within(CONNECT_SECONDS).left)

    def heard(self, deadline: Deadline) -> str:
        """Raises Problem when it does not come."""
        try:
            self._heard.result(deadline.within(HEAR_SECONDS).left)
        except NotYet:
            why = "the event did not come" if self._ready.done() else "no WebSocket could be opened in time"
            raise Problem("realtime", why) from None
        return "the same event came over a WebSocket"

    def end(self) -> None:
        if self._stop is not None and self._thread.is_alive():
            with suppress(RuntimeError):  # it has just ended by itself
                self._stop()
            self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        asyncio.run(self._until_told())

    async def _until_told(self) -> None:
        loop, listening = asyncio.get_running_loop(), asyncio.ensure_future(self._listen())
        self._stop = partial(loop.call_soon_threadsafe, listening.cancel)
        try:
            await listening
        except asyncio.CancelledError:
            return
        except Exception as error:  # noqa: BLE001 - whoever waits is told, whatever it is
            self._fail(error if isinstance(error, Problem) else _explained(error, self._remote.url))

    def _fail(self, problem: Problem) -> None:
        for each in (self._ready, self._heard):
            if not each.done():
                each.set_exception(problem)

    async def _listen(self) -> None:
        import aiohttp

        headers = {"authorization": f"Bearer {self._remote.key}"}
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS)
        url = "ws" + self._remote.url.removeprefix("http") + f"{_PATH}?events={TYPE}"
        async with (
            aiohttp.ClientSession(trust_env=True, timeout=timeout, headers=headers) as session,
            session.ws_connect(url, max_msg_size=1024 * 1024) as socket,
        ):
            async for message in socket:
                self._take(message)
                if self._heard.done():
                    return
            raise Problem("realtime", f"the WebSocket was closed ({socket.close_code})")

    def _take(self, message: aiohttp.WSMessage) -> None:
        try:
            frame = msgspec.json.decode(message.data, type=_Frame)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError) as error:
            raise Problem("realtime", f"the WebSocket says what Ogel does not say: {error}") from error
        if frame.type == "ready" and not self._ready.done():
            self._ready.set_result(None)
        elif frame.event is not None and frame.event.id == self._awaited:
            self._heard.set_result(self._awaited)


@contextmanager
def ear(remote: Remote, event_id: str) -> Iterator[Ear]:
    listening = Ear(remote, event_id)
    try:
        yield listening
    finally:
        listening.end()


def _explained(error: Exception, where: str) -> Problem:
    import aiohttp

    match error:
        case aiohttp.WSServerHandshakeError(status=404):
            why = "there is none: name the service that serves it with --realtime URL"
        case aiohttp.WSServerHandshakeError(status=status):
            why = f"the WebSocket is refused with {status}"
        case aiohttp.ClientSSLError():
            why = f"its certificate is not good: {printable(str(error))}"
        case _:
            why = f"the WebSocket cannot be opened: {printable(str(error)) or type(error).__name__}"
    return Problem("realtime", f"{where}: {why}")
