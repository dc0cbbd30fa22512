"""CRCs that are computed in lanes are those that are computed byte by byte."""

from __future__ import annotations

import random
import zlib

from ogel.features.storage.s3.checksums import ALGORITHMS, LanedCrc, _Family


def test_known_values() -> None:
    known = {"crc32": "cbf43926", "crc32c": "e3069283", "crc64nvme": "ae8b14860a799888"}
    for name, value in known.items():
        checksum = ALGORITHMS[name]()
        checksum.update(b"123456789")
        assert checksum.digest().hex() == value


def test_lanes_of_any_number_are_joined_as_zlib_does() -> None:
    family, content = _Family(0xEDB88320, 32), random.Random(1).randbytes(200_000)
    for size in (0, 1, 255, 256, 511, 512, 513, 65_535, 65_536, 65_537, 200_000):
        for cut in (0, size // 3, size):
            laned = LanedCrc(family)
            laned.update(content[:cut])
            laned.update(content[cut:size])
            assert laned.digest() == zlib.crc32(content[:size]).to_bytes(4, "big"), (size, cut)
