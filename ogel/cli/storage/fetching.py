"""Fetches one object: into a file beside its place, which a later try goes on with, and there when it is whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ogel.cli.storage.counted import Counted, Moved, patiently
from ogel.cli.storage.places import Place
from ogel.cli.storage.remote import path_of
from ogel.kernel.errors import OgelError

if TYPE_CHECKING:
    from ogel.cli.client import Client

# How files are called that will be whole later.
PARTIAL = ".ogel-"
_READ_BYTES = 1024 * 1024
_MD5_CHARACTERS = 32


class Fetcher:
    def __init__(self, client: Client) -> None:
        self._client = client

    def file(self, place: Place, path: Path, moved: Moved) -> None:
        """Raises OSError of the file, and what the API refuses. What is at `path` is replaced as a whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial, counted = _Partial(path, place), Counted(moved)
        tag, size = patiently(lambda: self._go_on(place, partial, counted), moved)
        partial.check(tag, size)
        partial.become(path)

    def stream(self, place: Place, target: IO[bytes], moved: Moved) -> None:
        with self._client.streamed("GET", path_of(*place, "authenticated")) as answer:
            for piece in answer.pieces:
                target.write(piece)
                moved(len(piece))
        target.flush()

    def _go_on(self, place: Place, partial: _Partial, counted: Counted) -> tuple[str, int]:
        """Returns the object's ETag and size."""
        have, tag = partial.found()
        # Its last byte comes once more: a range behind the end is none.
        headers = {"range": f"bytes={have - 1}-", "if-range": tag} if have and tag else {}
        with self._client.streamed("GET", path_of(*place, "authenticated"), headers=headers) as answer:
            at = have - 1 if answer.status == 206 else 0
            tag, size = answer.headers.get("etag", ""), at + int(answer.headers["content-length"])
            with partial.opened(at, tag) as file:
                counted.reach(at)
                for piece in answer.pieces:
                    file.write(piece)
                    at += len(piece)
                    counted.reach(at)
        return tag, size


class _Partial:
    """What has come of an object, in a file with another beside it that says of which version."""

    def __init__(self, path: Path, place: Place) -> None:
        # A name as long as a file's may be has no room for more.
        id = hashlib.sha256(f"{path.name}\n{place}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._content = path.with_name(f"{PARTIAL}{id}.part")
        self._tag = path.with_name(f"{PARTIAL}{id}.etag")

    def found(self) -> tuple[int, str]:
        try:
            return self._content.stat().st_size, self._tag.read_text("latin-1")
        except OSError:
            return 0, ""

    def opened(self, at: int, tag: str) -> IO[bytes]:
        self._tag.write_text(tag, "latin-1")
        file = self._content.open("r+b" if at else "wb")
        file.seek(at)
        return file

    def check(self, tag: str, size: int) -> None:
        """
        Against the length and, of what was stored in one piece, the MD5 that is its ETag. Raises OgelError, and what
        came is no longer there.
        """
        expected = tag.strip('"')
        by_md5 = len(expected) == _MD5_CHARACTERS
        if self._content.stat().st_size != size or (by_md5 and md5_of(self._content) != expected):
            self._content.unlink()
            raise OgelError("what came is not what is stored there; try again")

    def become(self, path: Path) -> None:
        os.replace(self._content, path)
        with suppress(OSError):
            self._tag.unlink()


def md5_of(path: Path) -> str:
    """In hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    for piece in _read(path):
        digest.update(piece)
    return digest.hexdigest()


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            yield piece
