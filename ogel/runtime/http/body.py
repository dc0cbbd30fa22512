"""Request bodies within bounds: how much is read, how long we wait, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ogel.kernel.errors import Malformed, TooLarge
from ogel.runtime.http.exchange import header
from ogel.runtime.http.problem import Disconnected, RequestTimeout

# A client that is still sending when we refuse gets this much attention, so that it reads our answer
# before it meets a closed connection.
LINGER_SECONDS = 2.0
LINGER_BYTES = 16 * 1024 * 1024


async def read_body(scope: Scope, receive: Receive, max_bytes: int, timeout_seconds: float) -> bytes:
    """The whole body. Raises TooLarge, RequestTimeout, or Disconnected when the client left."""
    if _declared_length(scope) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _receive_all(receive, max_bytes)
    except TimeoutError as error:
        raise RequestTimeout(f"The body did not arrive within {timeout_seconds:g} seconds.") from error


async def _receive_all(receive: Receive, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _declared_length(scope: Scope) -> int:
    length = header(scope, b"content-length") or "0"
    # int() would also take "+1", "1_000" and digits of other scripts.
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise Malformed("Content-Length is not a number.")
    return int(length)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The body is larger than {max_bytes} bytes.")


class UnreadBody:
    """Answers at once even when the application left (part of) the body unread, then reads on for a while.

    Without this the server's bounded queue of body chunks fills up, nobody empties it, and the connection
    hangs; or the socket is closed with unread data, and the reset overtakes our answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _announces_body(scope):
            await self._answer_then_linger(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer_then_linger(self, scope: Scope, receive: Receive, send: Send) -> None:
        read_to_end = False
        held_back = False

        async def noted_receive() -> Message:
            nonlocal read_to_end
            message = await receive()
            read_to_end = read_to_end or not message.get("more_body", False)
            return message

        async def holding_send(message: Message) -> None:
            nonlocal held_back
            final = message["type"] == "http.response.body" and not message.get("more_body", False)
            if final and not read_to_end:
                held_back = True
                message = {**message, "more_body": True}
            await send(message)

        await self._app(scope, noted_receive, holding_send)
        if held_back:
            await _linger(receive)
            await _end(receive, send)


def _announces_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


async def _linger(receive: Receive) -> None:
    budget = LINGER_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while budget > 0:
                message = await receive()
                budget -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


async def _end(receive: Receive, send: Send) -> None:
    """Ends the response while emptying the queue: the server puts its farewell behind what is queued."""

    async def until_disconnected() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    emptying = asyncio.create_task(until_disconnected())
    try:
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        emptying.cancel()
        await asyncio.wait([emptying])
