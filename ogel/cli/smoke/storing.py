"""An object, stored, read back and deleted, in a bucket of its own."""

from __future__ import annotations

import hashlib
import os

from ogel.cli.smoke.asking import Suite
from ogel.cli.smoke.leftovers import bucket_name, remove_bucket
from ogel.cli.smoke.problem import Problem
from ogel.cli.storage.remote import path_of

BYTES = 64 * 1024
_NAME = "smoke.bin"


class Shelf:
    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._bucket: str | None = None

    def store(self) -> str:
        content = os.urandom(BYTES)
        bucket = self._bucket = bucket_name()
        self._suite.ask("storage", "POST", "/api/storage/buckets", {"id": bucket}, also=(409,))
        binary = {"content-type": "application/octet-stream", "x-upsert": "true"}
        place = path_of(bucket, _NAME)
        self._suite.ask("storage", "POST", place, content, headers=binary)
        back = self._suite.ask("storage", "GET", path_of(bucket, _NAME, "authenticated")).body
        if hashlib.sha256(back).digest() != hashlib.sha256(content).digest():
            raise Problem("storage", f"{len(content)} bytes were stored, and {len(back)} others came back")
        self._suite.ask("storage", "DELETE", place)
        self.remove(self._suite)
        return f"{BYTES >> 10} KiB stored, read back as they were, and deleted"

    def remove(self, suite: Suite) -> None:
        """What is in it, too."""
        if self._bucket is not None:
            remove_bucket(suite, self._bucket)
            self._bucket = None
