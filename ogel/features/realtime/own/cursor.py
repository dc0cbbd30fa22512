"""A cursor: up to where a client has heard its channels, signed, as it comes back with it."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence

import msgspec

from ogel.runtime.realtime.publication import Position

MAX_LENGTH = 32 * 1024
_MAC_BYTES = 16

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[tuple[str, str, int]])


class Cursors:
    def __init__(self, keys: Sequence[bytes]) -> None:
        """The first signs, all are believed."""
        self._keys = keys

    def written(self, positions: Mapping[str, Position]) -> str:
        body = _encoder.encode([(name, each.epoch, each.offset) for name, each in positions.items()])
        return base64.urlsafe_b64encode(_mac(self._keys[0], body) + body).rstrip(b"=").decode()

    def read(self, cursor: str) -> Mapping[str, Position] | None:
        """None for what we have not written: an id of an event, or one under a secret that is gone."""
        if not cursor.isascii() or len(cursor) > MAX_LENGTH:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            if not any(hmac.compare_digest(mac, _mac(key, body)) for key in self._keys):
                return None
            return {name: Position(epoch, offset) for name, epoch, offset in _decoder.decode(body)}
        except (ValueError, msgspec.MsgspecError):
            return None


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")[:_MAC_BYTES]
