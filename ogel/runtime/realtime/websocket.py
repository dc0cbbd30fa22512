"""A WebSocket session: one subscription, written to one client that only listens."""

from __future__ import annotations

from starlette.types import Receive, Send

from ogel.runtime.realtime import codec
from ogel.runtime.realtime.session import PING_SECONDS, until_left
from ogel.runtime.realtime.subscription import Subscription, SubscriptionEnded

# Clients have nothing to send yet; short messages are ignored.
MAX_CLIENT_MESSAGE = 4096


async def serve_websocket(subscription: Subscription, receive: Receive, send: Send) -> None:
    """Runs the session, from the handshake to the close frame. Admission comes before."""
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    code = await until_left(_write(subscription, send), _read(receive))
    if code is not None:
        await send({"type": "websocket.close", "code": code, "reason": "message too big"})


async def _write(subscription: Subscription, send: Send) -> None:
    # While a client does not read, `send` waits and the subscription fills up until the hub ends it. The server closes
    # the connection of a client that reads nothing at all.
    await send({"type": "websocket.send", "text": codec.websocket_ready(subscription.globs)})
    try:
        while True:
            message = await subscription.next(PING_SECONDS)
            # A message instead of WebSocket's own ping: hypercorn's timer for that outlives connections and delays a
            # stop.
            text = codec.WEBSOCKET_PING if message is None else message.encoded(codec.websocket_event)
            await send({"type": "websocket.send", "text": text})
    except SubscriptionEnded as ended:
        code = codec.CLOSE_CODES[ended.reason]
        await send({"type": "websocket.close", "code": code, "reason": str(ended.reason)})


async def _read(receive: Receive) -> int | None:
    """Returns the code to close with; None when the client is gone."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return None
        if len(message.get("text") or message.get("bytes") or "") > MAX_CLIENT_MESSAGE:
            return codec.MESSAGE_TOO_BIG
