"""What is known of bytes that went by."""

from __future__ import annotations

import hashlib

from ogel.runtime.objects import Written


class Digests:
    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        """Other threads go on meanwhile, if the piece is of more than 2 KB."""
        self.size += len(piece)
        self._sha256.update(piece)
        self._md5.update(piece)

    def written(self) -> Written:
        return Written(self.size, self._sha256.hexdigest(), self._md5.hexdigest())
