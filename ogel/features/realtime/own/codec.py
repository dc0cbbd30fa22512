"""
Ogel's own dialect, as it stands on a WebSocket and in Server-Sent Events.

The server speaks, the client listens: `ready` with what it will hear, `event` for each event, `message` for what is
published to its channels, `ping` when it has been quiet, and a reason when the server ends it. With each comes a
cursor, for when it comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from ogel.runtime.realtime.connections.frames import TEXT, frame
from ogel.runtime.realtime.connections.session import Farewell, Reason
from ogel.runtime.realtime.publication import Publication

# RFC 6455 §7.4.1 and the IANA registry: going away; try again later; policy violation; internal error. 4401 is what 401
# is over HTTP: not with this key.
CLOSE_CODES = {
    Reason.SHUTDOWN: 1001,
    Reason.SLOW: 1013,
    Reason.BEHIND: 1013,
    Reason.FLOODED: 1008,
    Reason.REFUSED: 1008,
    Reason.FAILED: 1011,
    Reason.REVOKED: 4401,
    Reason.EXPIRED: 4401,
}


class Ready(Struct, frozen=True):
    """
    events     the globs of the events that it will hear.
    channels   likewise.
    recovered  whether what was missed since its cursor comes now, all of it; None: it had none.
    """

    events: Sequence[str] = ()
    channels: Sequence[str] = ()
    recovered: bool | None = None


class Words(Protocol):
    """What one transport has for each thing there is to say, framed."""

    def ready(self, ready: Ready, cursor: str) -> bytes: ...

    def said(self, publication: Publication) -> bytes:
        """Without the cursor, and so the same for every client."""

    def with_cursor(self, said: bytes, cursor: str) -> bytes: ...

    def ping(self, cursor: str) -> bytes: ...

    def gap(self, channel: str) -> bytes:
        """Publications of it are missing before the next."""

    def farewell(self, reason: Reason) -> Farewell: ...


class _WebSocketWords:
    def ready(self, ready: Ready, cursor: str) -> bytes:
        return _text({"type": "ready", **_fields(ready), "cursor": cursor})

    def said(self, publication: Publication) -> bytes:
        if publication.event is not None:
            return b'{"type":"event","event":%b' % publication.data
        about = msgspec.json.encode({"type": "message", **_about(publication)})
        return b'%b,"data":%b' % (about[:-1], publication.data)

    def with_cursor(self, said: bytes, cursor: str) -> bytes:
        return frame(TEXT, b'%b,"cursor":"%b"}' % (said, cursor.encode()))

    def ping(self, cursor: str) -> bytes:
        """A message instead of WebSocket's own ping, which pages do not see."""
        return _text({"type": "ping", "cursor": cursor})

    def gap(self, channel: str) -> bytes:
        return _text({"type": "gap", "channel": channel})

    def farewell(self, reason: Reason) -> Farewell:
        return Farewell(CLOSE_CODES[reason], reason)


class _SseWords:
    def ready(self, ready: Ready, cursor: str) -> bytes:
        # EventSource reconnects by itself; a second keeps a restart from feeling like an outage.
        block = _sse("ready", msgspec.json.encode(_fields(ready)))
        return b"retry: 1000\n" + self.with_cursor(block, cursor)

    def said(self, publication: Publication) -> bytes:
        if publication.event is not None:
            return _sse("event", publication.data)
        about = msgspec.json.encode(_about(publication))
        return _sse("message", b'%b,"data":%b}' % (about[:-1], publication.data))

    def with_cursor(self, said: bytes, cursor: str) -> bytes:
        return b"id: %b\n%b" % (cursor.encode(), said)

    def ping(self, cursor: str) -> bytes:
        """
        A comment keeps proxies from closing an idle connection. EventSource remembers the id of a block that says
        nothing, too (HTML §9.2.6): who heard nothing for an hour still comes back with a young cursor.
        """
        return b": ping\nid: %b\n\n" % cursor.encode()

    def gap(self, channel: str) -> bytes:
        return _sse("gap", msgspec.json.encode({"channel": channel}))

    def farewell(self, reason: Reason) -> Farewell:
        return Farewell(CLOSE_CODES[reason], reason, _sse("end", msgspec.json.encode({"reason": reason})))


WEBSOCKET: Words = _WebSocketWords()
SSE: Words = _SseWords()


def _fields(ready: Ready) -> Mapping[str, object]:
    fields: dict[str, object] = {"events": ready.events}
    if ready.channels:
        fields["channels"] = ready.channels
    if ready.recovered is not None:
        fields["recovered"] = ready.recovered
    return fields


def _about(publication: Publication) -> Mapping[str, object]:
    about: dict[str, object] = {"channel": publication.channel, "offset": publication.offset}
    return {**about, "tags": publication.tags} if publication.tags else about


def _text(said: Mapping[str, object]) -> bytes:
    return frame(TEXT, msgspec.json.encode(said))


def _sse(name: str, data: bytes) -> bytes:
    # A publisher's JSON may span lines. Each becomes a field, and the client joins them again (HTML §9.2.6).
    lines = b"".join(b"data: %b\n" % line for line in data.splitlines())
    return b"event: %b\n%b\n" % (name.encode(), lines)
