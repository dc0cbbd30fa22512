"""Ogel's own realtime dialect: frames for WebSocket, fields for SSE. Other dialects stand beside this file.

The server speaks, the client listens: `ready` with the globs it will hear, `event` for each event, `ping`
when it has been quiet, and a reason when the server ends it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ogel.runtime.realtime.message import Message
from ogel.runtime.realtime.subscription import Reason

# RFC 6455 §7.4.1 and the IANA registry: going away; try again later. 4401 is what 401 is over HTTP: not with this key.
CLOSE_CODES = {Reason.SHUTDOWN: 1001, Reason.SLOW: 1013, Reason.REVOKED: 4401, Reason.EXPIRED: 4401}
MESSAGE_TOO_BIG = 1009

WEBSOCKET_PING = '{"type":"ping"}'
# A comment, which EventSource skips; it keeps proxies from closing an idle connection.
SSE_PING = b": ping\n\n"


def websocket_ready(globs: Sequence[str]) -> str:
    return msgspec.json.encode({"type": "ready", "events": globs}).decode()


def websocket_event(message: Message) -> str:
    return f'{{"type":"event","event":{message.json.decode()}}}'


def sse_ready(globs: Sequence[str]) -> bytes:
    # EventSource reconnects by itself; a second keeps a restart from feeling like an outage.
    return b"retry: 1000\n" + _sse("ready", msgspec.json.encode({"events": globs}))


def sse_event(message: Message) -> bytes:
    return b"id: %b\n" % message.id.encode() + _sse("event", message.json)


def sse_end(reason: Reason) -> bytes:
    return _sse("end", msgspec.json.encode({"reason": reason}))


def _sse(name: str, data: bytes) -> bytes:
    # A publisher's JSON may span lines. Each becomes a field, and the client joins them again (HTML §9.2.6).
    lines = b"".join(b"data: %b\n" % line for line in data.splitlines())
    return b"event: %b\n%b\n" % (name.encode(), lines)
