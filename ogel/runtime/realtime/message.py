"""An event as clients of realtime read it."""

from __future__ import annotations

import msgspec

from ogel.kernel.event import Event


class _Envelope(msgspec.Struct, frozen=True):
    id: str
    type: str
    timestamp: str
    subject: str | None
    data: msgspec.Raw


def pack(event: Event) -> bytes:
    """`{"id", "type", "timestamp", "subject", "data"}`, with `data` as its publisher wrote it."""
    envelope = _Envelope(event.id, event.type, event.timestamp, event.subject, msgspec.Raw(event.data))
    return msgspec.json.encode(envelope)
