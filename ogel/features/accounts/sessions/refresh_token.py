"""
Refresh tokens: `ogr_` and base64url of version, session, counter (LEB128), a MAC under the session's own key, and a
checksum. No row is kept of any: the session's counter says which one is good.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from hashlib import sha256
from uuid import UUID

from msgspec import Struct

PREFIX = "ogr_"
KEY_BYTES = 32
_VERSION = b"\x01"
_MAC_BYTES = 16
_CHECKSUM_BYTES = 4
_COUNTER_BYTES = 10
_SHAPE_OF_SUPABASE = re.compile(r"[a-z0-9]{12}", re.ASCII)
_SHAPE = re.compile(r"ogr_[A-Za-z0-9_-]{50,70}", re.ASCII)


class RefreshToken(Struct, frozen=True):
    """One as a client has sent it. It is whole, which says nothing yet of who made it."""

    session_id: UUID
    counter: int
    signed: bytes
    mac: bytes

    def is_genuine(self, key: bytes) -> bool:
        return hmac.compare_digest(self.mac, _mac(self.signed, key))


def write(session_id: UUID, counter: int, key: bytes) -> str:
    """The same counter gives the same token."""
    signed = _VERSION + session_id.bytes + _leb128(counter)
    whole = signed + _mac(signed, key)
    return PREFIX + base64.urlsafe_b64encode(whole + _checksum(whole)).rstrip(b"=").decode()


def read(text: str) -> RefreshToken:
    """Raises ValueError for what cannot be one, so that the database need not be asked."""
    if not _SHAPE.fullmatch(text):
        raise ValueError("not a refresh token")
    encoded = text.removeprefix(PREFIX)
    try:
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    whole, checksum = raw[:-_CHECKSUM_BYTES], raw[-_CHECKSUM_BYTES:]
    signed, mac = whole[:-_MAC_BYTES], whole[-_MAC_BYTES:]
    if checksum != _checksum(whole) or signed[:1] != _VERSION:
        raise ValueError("a refresh token that was mistyped, or of another version")
    return RefreshToken(UUID(bytes=signed[1:17]), _counter(signed[17:]), signed, mac)


def is_of_supabase(text: str) -> bool:
    """Whether it looks like one that a Supabase project gave out, which was good there."""
    return _SHAPE_OF_SUPABASE.fullmatch(text) is not None


def _mac(signed: bytes, key: bytes) -> bytes:
    return hmac.digest(key, signed, "sha256")[:_MAC_BYTES]


def _checksum(whole: bytes) -> bytes:
    return sha256(whole).digest()[:_CHECKSUM_BYTES]


def _leb128(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _counter(encoded: bytes) -> int:
    number = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(encoded))
    if len(encoded) > _COUNTER_BYTES or _leb128(number) != encoded:
        raise ValueError("not a number")
    return number
