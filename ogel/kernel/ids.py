"""Prefixed, sortable ids: `evt_` + 26 characters of a UUIDv7 (RFC 9562 §5.7) in Crockford base32, no dots."""

from __future__ import annotations

import os
import struct
import threading
import time
from datetime import datetime
from hashlib import sha256
from uuid import UUID

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# Ids are made for every row of every event, so two characters are encoded at a time.
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_lock = threading.Lock()
_last = 0
# Blocks of 64 random bits. The system is asked for many of them at once; a forked child asks for its own.
_SOME = struct.Struct("512Q")
_randoms: list[int] = []
os.register_at_fork(after_in_child=_randoms.clear)


def new_id(prefix: str) -> str:
    """Returns a new id, which sorts after every id that this process made before."""
    return f"{prefix}_{_base32(_uuid7())}"


def id_at(prefix: str, moment: datetime) -> str:
    """Returns the least id of that moment: ids made before it sort before, ids made at it or later sort after."""
    return f"{prefix}_{_base32(max(0, int(moment.timestamp() * 1000)) << 80)}"


def derived_id(prefix: str, moment: datetime, text: str) -> str:
    """
    Returns an id that depends on the moment and the text alone; among new ids of that moment it may sort anywhere.
    """
    random74 = int.from_bytes(sha256(text.encode()).digest()[:10], "big") >> 6
    ms = max(0, int(moment.timestamp() * 1000))
    value = (ms << 80) | (0x7 << 76) | (random74 >> 62 << 64) | (0b10 << 62) | (random74 & (1 << 62) - 1)
    return f"{prefix}_{_base32(value)}"


def uuid_of(id: str) -> UUID:
    """Returns the UUID that an id is made of, for who cannot take the id itself. Raises ValueError for no id."""
    value = 0
    for character in id.rpartition("_")[2]:
        value = value << 5 | _ALPHABET.index(character)
    return UUID(int=value)


def random_uuid() -> UUID:
    """As uuid.uuid4, which asks the system each time."""
    random122 = _random64() << 64 | _random64()
    return UUID(int=random122 & ~(0xF << 76 | 0b11 << 62) | 0x4 << 76 | 0b10 << 62)


def _uuid7() -> int:
    global _last
    ns = time.time_ns()
    ms, rest = divmod(ns, 1_000_000)
    # 48 bits of milliseconds and 12 bits of the fraction (RFC 9562 §6.2, method 3), then version, variant, random.
    tick = (ms << 12) | (rest * 4096 // 1_000_000)
    with _lock:
        tick = _last = max(tick, _last + 1)
    high, low12 = tick >> 12, tick & 0xFFF
    random62 = _random64() >> 2
    return (high << 80) | (0x7 << 76) | (low12 << 64) | (0b10 << 62) | random62


def _random64() -> int:
    try:
        return _randoms.pop()
    except IndexError:
        first, *others = _SOME.unpack(os.urandom(_SOME.size))
        _randoms.extend(others)
        return int(first)


def _base32(value: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(120, -1, -10)])
