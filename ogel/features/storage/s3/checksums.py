"""The checksums that clients of S3 send: hashlib's, zlib's CRC-32, and two CRCs that Python does not have."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Callable
from functools import cached_property
from typing import Protocol

# Bytes of one lane, and at most how many lanes are computed side by side.
_LANE, _MOST_LANES = 256, 256
_TURN = 16 * 1024


class Checksum(Protocol):
    def update(self, piece: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, piece: bytes) -> None:
        self._value = zlib.crc32(piece, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _Family:
    """
    What all checksums of a reflected CRC share. Byte by byte, Python takes long for a CRC. A piece is cut into lanes
    instead, and a byte of each is taken at once: `translate` looks all of them up in a table, and integers of any size
    are exclusive-ored, which takes a tenth. Then the lanes are joined: a CRC is linear.
    """

    def __init__(self, polynomial: int, bits: int) -> None:
        """`polynomial` is written with its highest power in the lowest bit, and without the power `bits`."""
        self.size = bits // 8
        self.ones = (1 << bits) - 1
        self._polynomial = polynomial

    @cached_property
    def table(self) -> list[int]:
        return [self._after_zero_bits(byte, 8) for byte in range(256)]

    @cached_property
    def planes(self) -> list[bytes]:
        """The table again, a byte of the values each."""
        return [bytes(value >> 8 * at & 255 for value in self.table) for at in range(self.size)]

    @cached_property
    def past_a_lane(self) -> list[list[int]]:
        """What becomes of a state behind `_LANE` zero bytes: by its bytes, a table each."""
        of_bits = [self._after_zero_bytes(1 << bit, _LANE) for bit in range(self.size * 8)]
        return [
            [_xor_of(of_bits[8 * at + bit] for bit in range(8) if byte >> bit & 1) for byte in range(256)]
            for at in range(self.size)
        ]

    def _after_zero_bits(self, state: int, count: int) -> int:
        for _ in range(count):
            state = state >> 1 ^ (self._polynomial if state & 1 else 0)
        return state

    def _after_zero_bytes(self, state: int, count: int) -> int:
        for _ in range(count):
            state = state >> 8 ^ self.table[state & 255]
        return state


class LanedCrc:
    def __init__(self, family: _Family) -> None:
        self._family = family
        self._state = family.ones

    def update(self, piece: bytes) -> None:
        at, lanes = 0, min(len(piece) // _LANE, _MOST_LANES)
        while lanes > 1:
            end = at + lanes * _LANE
            self._take_lanes(piece[at:end], lanes)
            at, lanes = end, min((len(piece) - end) // _LANE, _MOST_LANES)
        table, state = self._family.table, self._state
        for byte in piece[at:]:
            state = state >> 8 ^ table[(state ^ byte) & 255]
        self._state = state

    def digest(self) -> bytes:
        return (self._state ^ self._family.ones).to_bytes(self._family.size, "big")

    async def update_in_turns(self, piece: bytes) -> None:
        """As `update`, between whose parts other requests go on: 64 KiB take milliseconds."""
        for at in range(0, len(piece), _TURN):
            self.update(piece[at : at + _TURN])
            await asyncio.sleep(0)

    def _take_lanes(self, block: bytes, lanes: int) -> None:
        family = self._family
        size, tables, zeros = family.size, family.planes, bytes(lanes)
        # The states of all lanes, a byte of them in each plane; they begin with zeros.
        planes = [zeros] * size
        for at in range(_LANE):
            index = _xor(planes[0], block[at::_LANE])
            found = [index.translate(table) for table in tables]
            planes = [_xor(planes[n + 1], found[n]) for n in range(size - 1)] + [found[-1]]
        state = self._state
        for lane in range(lanes):
            moved = 0
            for at, table in enumerate(family.past_a_lane):
                moved ^= table[state >> 8 * at & 255]
            state = moved
            for at, plane in enumerate(planes):
                state ^= plane[lane] << 8 * at
        self._state = state


_CRC32C = _Family(0x82F63B78, 32)
_CRC64NVME = _Family(0x9A6C9329AC4BC9B5, 64)

# By the name that stands in headers: x-amz-checksum-crc32.
ALGORITHMS: dict[str, Callable[[], Checksum]] = {
    "crc32": _Crc32,
    "crc32c": lambda: LanedCrc(_CRC32C),
    "crc64nvme": lambda: LanedCrc(_CRC64NVME),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "little") ^ int.from_bytes(other, "little")).to_bytes(len(one), "little")


def _xor_of(values: object) -> int:
    total = 0
    for value in values:  # type: ignore[attr-defined]
        total ^= value
    return total
