"""Server-Sent Events to a client that does what it should not."""

from __future__ import annotations

import asyncio

from starlette.types import Message

from ogel.runtime.realtime.sse import MAX_CLIENT_BYTES, serve_sse
from ogel.runtime.realtime.subscription import Subscription


def test_who_never_stops_sending_is_hung_up_on() -> None:
    received = 0

    async def receive() -> Message:
        nonlocal received
        await asyncio.sleep(0)
        received += 1000
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(asyncio.wait_for(serve_sse(Subscription(["*"], 10, 1000), receive, send), 10))
    assert MAX_CLIENT_BYTES < received < 2 * MAX_CLIENT_BYTES
    assert sent and sent[-1]["more_body"]  # so that the server takes the answer for broken off, and closes
