"""
Ogel's own dialect, as it stands on a WebSocket and in Server-Sent Events.

The server speaks, the client listens: `ready` with the globs it will hear, `event` for each event, `ping`
when it has been quiet, and a reason when the server ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from ogel.runtime.http.websocket.frames import TEXT, frame
from ogel.runtime.realtime.connections.session import Farewell, Reason
from ogel.runtime.realtime.message import Message

# RFC 6455 §7.4.1 and the IANA registry: going away; try again later; policy violation; internal error. 4401 is what 401
# is over HTTP: not with this key.
CLOSE_CODES = {
    Reason.SHUTDOWN: 1001,
    Reason.SLOW: 1013,
    Reason.FLOODED: 1008,
    Reason.FAILED: 1011,
    Reason.REVOKED: 4401,
    Reason.EXPIRED: 4401,
}


class Words(Struct, frozen=True):
    """What one transport has for each thing there is to say, framed."""

    ready: Callable[[Sequence[str]], bytes]
    event: Callable[[Message], bytes]
    ping: bytes
    farewell: Callable[[Reason], Farewell]


def websocket_ready(globs: Sequence[str]) -> bytes:
    return frame(TEXT, msgspec.json.encode({"type": "ready", "events": globs}))


def websocket_event(message: Message) -> bytes:
    return frame(TEXT, b'{"type":"event","event":%b}' % message.json)


def websocket_farewell(reason: Reason) -> Farewell:
    return Farewell(CLOSE_CODES[reason], reason)


def sse_ready(globs: Sequence[str]) -> bytes:
    # EventSource reconnects by itself; a second keeps a restart from feeling like an outage.
    return b"retry: 1000\n" + _sse("ready", msgspec.json.encode({"events": globs}))


def sse_event(message: Message) -> bytes:
    return b"id: %b\n" % message.id.encode() + _sse("event", message.json)


def sse_farewell(reason: Reason) -> Farewell:
    return Farewell(CLOSE_CODES[reason], reason, _sse("end", msgspec.json.encode({"reason": reason})))


def _sse(name: str, data: bytes) -> bytes:
    # A publisher's JSON may span lines. Each becomes a field, and the client joins them again (HTML §9.2.6).
    lines = b"".join(b"data: %b\n" % line for line in data.splitlines())
    return b"event: %b\n%b\n" % (name.encode(), lines)


# A message instead of WebSocket's own ping, which pages do not see.
WEBSOCKET = Words(websocket_ready, websocket_event, frame(TEXT, b'{"type":"ping"}'), websocket_farewell)
# A comment, which EventSource skips; it keeps proxies from closing an idle connection.
SSE = Words(sse_ready, sse_event, b": ping\n\n", sse_farewell)
