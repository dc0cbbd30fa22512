"""What is known of bytes that went by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ogel.runtime.objects import Written


class Digests:
    def __init__(self) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        """Other threads go on meanwhile, if the piece is of more than 2 KB."""
        self.update_all_but_md5(piece)
        self.update_md5([piece])

    def update_all_but_md5(self, piece: bytes) -> None:
        self.size += len(piece)
        self._sha256.update(piece)

    def update_md5(self, pieces: Iterable[bytes]) -> None:
        """Takes three times as long as the other, and may be done in another thread meanwhile."""
        for piece in pieces:
            self._md5.update(piece)

    def written(self) -> Written:
        return Written(self.size, self._sha256.hexdigest(), self._md5.hexdigest())
