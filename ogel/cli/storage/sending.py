"""Sends one file: small ones in a request, large ones in pieces that a later try goes on behind."""

from __future__ import annotations

import hashlib
import mimetypes
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

import click

from ogel.cli.storage.counted import Counted, Moved, patiently
from ogel.cli.storage.places import Place
from ogel.cli.storage.remote import PREFIX, path_of
from ogel.kernel.errors import Conflict, OgelError, TooLarge, Unavailable

if TYPE_CHECKING:
    from ogel.cli.client import Answer, Client

PIECE_BYTES = 256 * 1024
# From here on a file goes in pieces of that size: what is lost with a connection is one of them.
RESUMABLE_BYTES = 6 * 1024 * 1024
CHUNK_BYTES = 16 * 1024 * 1024
_TUS = {"tus-resumable": "1.0.0"}


class Sender:
    """`overwrites`: what is there may be replaced. `content_type` None: what the name's end says."""

    def __init__(
        self,
        client: Client,
        *,
        overwrites: bool = True,
        content_type: str | None = None,
        cache: str | None = None,
    ) -> None:
        self._client = client
        self._overwrites = overwrites
        self._content_type = content_type
        self._cache = cache

    def file(self, path: Path, place: Place, moved: Moved) -> None:
        """Raises OSError of the file, and what the API refuses."""
        with path.open("rb") as file:
            size = path.stat().st_size
            if size >= RESUMABLE_BYTES:
                self._in_chunks(file, path, size, place, moved)
            elif self._overwrites:
                counted = Counted(moved)
                patiently(lambda: self._whole(_all_of(file, size, counted), place, size), moved)
            else:  # once more, what is there might be what came of the first time
                self._whole(_all_of(file, size, Counted(moved)), place, size)

    def stream(self, source: IO[bytes], place: Place, moved: Moved) -> None:
        """Of unknown length: it is sent as it comes, and once."""
        self._whole(_pieces(source, moved), place, None)

    def _whole(self, pieces: Iterator[bytes], place: Place, size: int | None) -> None:
        headers = {
            "content-type": self._type_of(place.name),
            "x-upsert": str(self._overwrites).lower(),
            **({} if self._cache is None else {"cache-control": self._cache}),
            **({} if size is None else {"content-length": str(size)}),
        }
        with self._client.streamed("POST", path_of(*place), body=pieces, headers=headers) as answer:
            answer.whole()

    def _in_chunks(self, file: IO[bytes], path: Path, size: int, place: Place, moved: Moved) -> None:
        known = _Known(self._client.where, path, size, place)
        where, offset = known.read(), None
        if where is not None:
            offset = self._offset(where)
        if where is None or offset is None:
            where, offset = patiently(lambda: self._begin(place, size), moved), 0
            known.write(where)
        counted = Counted(moved)
        while offset < size:
            counted.reach(offset)
            offset = patiently(lambda: self._next_chunk(where, file, size), moved)
        counted.reach(size)
        known.forget()

    def _begin(self, place: Place, size: int) -> str:
        """Returns the path of the upload."""
        metadata = {
            "bucketName": place.bucket,
            "objectName": place.name,
            "contentType": self._type_of(place.name),
            **({} if self._cache is None else {"cacheControl": self._cache}),
        }
        said = ",".join(f"{name} {b64encode(text.encode()).decode()}" for name, text in metadata.items())
        headers = {"upload-length": str(size), "upload-metadata": said}
        answer = self._asked("POST", f"{PREFIX}/upload/resumable", headers)
        _, prefix, id = urlsplit(answer.headers.get("location", "")).path.rpartition("/upload/resumable/")
        if not prefix or not id:
            raise OgelError("the answer does not say where the upload goes on: is it another version?")
        return f"{PREFIX}{prefix}{id}"

    def _offset(self, where: str) -> int | None:
        """How far it is; None: it is not there any more."""
        answer = self._client.send("HEAD", where, headers=_TUS)
        offset = answer.headers.get("upload-offset", "")
        return int(offset) if answer.ok and offset.isdecimal() else None

    def _next_chunk(self, where: str, file: IO[bytes], size: int) -> int:
        """Sends what follows on what the server has. Returns how much it has then."""
        offset = self._offset(where)
        if offset is None:
            raise Conflict("the upload is not there any more; try again")
        file.seek(offset)
        chunk = _exactly(file, min(CHUNK_BYTES, size - offset))
        return self._chunk(where, offset, chunk)

    def _chunk(self, where: str, offset: int, chunk: bytes) -> int:
        headers = {"upload-offset": str(offset), "content-type": "application/offset+octet-stream"}
        answer = self._asked("PATCH", where, headers, chunk)
        return int(answer.headers["upload-offset"])

    def _asked(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """TUS says what is wrong in plain text."""
        from ogel.cli.client import error_of

        sent = {**_TUS, "x-upsert": str(self._overwrites).lower(), **headers}
        answer = self._client.send(method, path, body=body, headers=sent)
        if answer.ok:
            return answer
        if answer.media_type == "text/plain":
            kinds = {409: Conflict, 413: TooLarge, 423: Unavailable, 503: Unavailable}
            raise kinds.get(answer.status, OgelError)(answer.body.decode("utf-8", "replace").strip()[:500])
        raise error_of(answer, self._client.where)

    def _type_of(self, name: str) -> str:
        return self._content_type or mimetypes.guess_type(name)[0] or "application/octet-stream"


class _Known:
    """Where an upload of this file to this place went on, kept until it is whole: another try goes on there."""

    def __init__(self, where: str, path: Path, size: int, place: Place) -> None:
        modified = path.stat().st_mtime_ns
        said = "\n".join([where, str(path.absolute()), str(size), str(modified), place.bucket, place.name])
        name = hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()
        self._file = Path(click.get_app_dir("ogel")) / "uploads" / name

    def read(self) -> str | None:
        try:
            found = self._file.read_text("ascii")
        except (OSError, UnicodeDecodeError):
            return None
        return found if found.startswith(f"{PREFIX}/upload/resumable/") else None

    def write(self, where: str) -> None:
        """What cannot be kept only costs another try."""
        with suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file.write_text(where, "ascii")

    def forget(self) -> None:
        with suppress(OSError):
            self._file.unlink()


def _all_of(file: IO[bytes], size: int, counted: Counted) -> Iterator[bytes]:
    """From its beginning, and no more than was announced."""
    file.seek(0)
    at = 0
    while at < size:
        piece = _exactly(file, min(PIECE_BYTES, size - at))
        yield piece
        at += len(piece)
        counted.reach(at)


def _exactly(file: IO[bytes], size: int) -> bytes:
    piece = file.read(size)
    if len(piece) < size:
        raise OSError("it became shorter while it was read")
    return piece


def _pieces(source: IO[bytes], moved: Moved) -> Iterator[bytes]:
    while piece := source.read(PIECE_BYTES):
        yield piece
        moved(len(piece))
