"""A message: one event on its way through Redis to every process, and there to many subscribers."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ogel.kernel.event import ID_PATTERN, TYPE_PATTERN, Event


class _Envelope(msgspec.Struct, frozen=True):
    id: Annotated[str, msgspec.Meta(pattern=ID_PATTERN)]
    type: Annotated[str, msgspec.Meta(pattern=TYPE_PATTERN)]
    timestamp: str
    subject: str | None
    data: msgspec.Raw


_decoder = msgspec.json.Decoder(_Envelope)


class Message:
    """`json` is `{"id", "type", "timestamp", "subject", "data"}`, with `data` as its publisher wrote it."""

    __slots__ = ("_envelope", "json")

    def __init__(self, json: bytes) -> None:
        """Raises msgspec.MsgspecError (or UnicodeDecodeError) when these bytes are no message."""
        self._envelope = _decoder.decode(json)
        str(json, "utf-8")  # the decoder does not look into `data`
        self.json = json

    @property
    def id(self) -> str:
        return self._envelope.id

    @property
    def type(self) -> str:
        return self._envelope.type


def pack(event: Event) -> bytes:
    """Encodes an event as the bytes that `Message` decodes."""
    envelope = _Envelope(event.id, event.type, event.timestamp, event.subject, msgspec.Raw(event.data))
    return msgspec.json.encode(envelope)
