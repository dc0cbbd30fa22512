"""A Server-Sent Events session (HTML §9.2): one subscription as a response that goes on."""

from __future__ import annotations

from starlette.types import Receive, Send

from ogel.runtime.realtime import codec
from ogel.runtime.realtime.session import PING_SECONDS, until_left
from ogel.runtime.realtime.subscription import Subscription, SubscriptionEnded

# A client that only listens has nothing to send. Without this limit it could send without end, while other requests
# have a body limit.
MAX_CLIENT_BYTES = 64 * 1024
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # The connection closes with the stream: nothing else waits for it.
    (b"connection", b"close"),
    # Keeps nginx and other proxies from buffering events before they pass them on.
    (b"x-accel-buffering", b"no"),
]


async def serve_sse(subscription: Subscription, receive: Receive, send: Send) -> None:
    """Sends the response, from its head to the last chunk. Admission comes before."""
    await until_left(_write(subscription, send), _left(receive))


async def _write(subscription: Subscription, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await _chunk(send, codec.sse_ready(subscription.globs))
    try:
        while True:
            message = await subscription.next(PING_SECONDS)
            await _chunk(send, codec.SSE_PING if message is None else message.encoded(codec.sse_event))
    except SubscriptionEnded as ended:
        await _chunk(send, codec.sse_end(ended.reason), more=False)


async def _chunk(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _left(receive: Receive) -> None:
    said = 0
    while said <= MAX_CLIENT_BYTES and (message := await receive())["type"] != "http.disconnect":
        said += len(message.get("body", b""))
