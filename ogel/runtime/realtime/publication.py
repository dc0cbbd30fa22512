"""A publication: what was said in a channel, on its way through Redis to every process, and there to subscribers."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime

import msgspec
from msgspec import Struct

# Says what is published in channels, as `packed` writes it.
PUBLICATIONS = "ogel:realtime:publications"


class Position(Struct, frozen=True):
    """
    Up to where somebody has heard a channel. Offsets count its publications from 1, in the order of their commits;
    those of another epoch mean nothing: the channel was forgotten, or the database is another one.
    """

    epoch: str
    offset: int


class Publication(Struct, frozen=True, array_like=True):
    """
    data    JSON, byte by byte as it was published; of an event `{"id", "type", "timestamp", "subject", "data"}`.
    tags    what its publisher says about it, for whoever chooses among publications.
    roles   only who has one of them hears it (kernel/roles.py); None: everyone in the channel.
    event   the type of the event that it is; None: it is none.
    """

    channel: str
    epoch: str
    offset: int
    at: datetime
    data: bytes
    tags: dict[str, str] | None = None
    roles: list[str] | None = None
    event: str | None = None

    def is_for(self, roles: AbstractSet[str]) -> bool:
        """Whether who has these roles hears it."""
        return self.roles is None or not roles.isdisjoint(self.roles)

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.offset)


_decoder = msgspec.msgpack.Decoder(Publication)


def packed(publication: Publication) -> bytes:
    return msgspec.msgpack.encode(publication)


def unpacked(payload: bytes) -> Publication:
    """Raises msgspec.MsgspecError for what is no publication."""
    return _decoder.decode(payload)
