"""One object on its way to an S3 service."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import IO, Protocol, TypeVar, cast

from ogel.adapters.storage.digests import Digests
from ogel.adapters.storage.s3_requests import Requests
from ogel.kernel.errors import Unavailable
from ogel.runtime.objects import Written

Answer = TypeVar("Answer")

# What is longer goes up in parts of this size. The least that S3 takes is 5 MiB; R2 wants all of them to be alike.
PART_BYTES = 8 * 1024 * 1024
_MOST_PARTS = 10_000
# The beginning of a part is kept in memory; a longer one goes to a file.
_IN_MEMORY = 128 * 1024


class Do(Protocol):
    """Does work in a thread. Raises Unavailable, StoreFull."""

    def __call__(self, work: Callable[[], Answer]) -> Awaitable[Answer]: ...


class Upload:
    """
    A part is a temporary file until it is whole, and is sent while the next one comes: a slow client holds neither
    memory nor a thread nor a connection, and a part that the service was away for can be sent again.
    """

    def __init__(self, key: str, length: int | None, requests: Requests, do: Do) -> None:
        self._key = key
        self._part_bytes = max(PART_BYTES, -(-(length or 0) // _MOST_PARTS))
        self._requests = requests
        self._do = do
        self._digests = Digests()
        self._part = _Part()
        self._id: str | None = None
        self._etags: list[str] = []
        self._sending: asyncio.Future[None] | None = None

    async def store(self, batch: Sequence[bytes], is_last: bool) -> Written | None:
        """Returns what was written when it is the last batch."""
        part = self._part
        await self._do(lambda: self._take(part, batch))
        if is_last:
            await self._end(part)
            return self._digests.written()
        if part.size >= self._part_bytes:
            await self._sent()
            self._part = _Part()
            self._sending = asyncio.ensure_future(self._send(part))
        return None

    async def give_up(self) -> None:
        """Deletes what was sent. If that does not succeed, the store's `sweep` does it later."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        self._part.file.close()
        if (id := self._id) is not None:
            try:
                await self._do(lambda: self._requests.abort(self._key, id))
            except Unavailable:
                return

    def _take(self, part: _Part, batch: Sequence[bytes]) -> None:
        for piece in batch:
            part.write(piece)
            self._digests.update(piece)

    async def _end(self, part: _Part) -> None:
        await self._sent()
        if self._id is None:
            with part.file:
                await self._do(lambda: self._requests.put(self._key, part.file, part.size, part.digest()))
            return
        await self._send(part)
        id = self._id
        await self._do(lambda: self._requests.complete(self._key, id, self._etags))
        self._id = None

    async def _sent(self) -> None:
        if self._sending is not None:
            await self._sending
            self._sending = None

    async def _send(self, part: _Part) -> None:
        if len(self._etags) == _MOST_PARTS:
            raise Unavailable("What is as long as this is stored only if its length is known before.")
        if (id := self._id) is None:
            id = self._id = await self._do(lambda: self._requests.begin_parts(self._key))
        place = id, len(self._etags) + 1
        with part.file:
            etag = await self._do(
                lambda: self._requests.put(self._key, part.file, part.size, part.digest(), place)
            )
        self._etags.append(etag)


class _Part:
    def __init__(self) -> None:
        self.size = 0
        self.file = cast(IO[bytes], tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115
        self._sha256 = sha256()

    def write(self, piece: bytes) -> None:
        try:
            self.file.write(piece)
        except OSError as error:
            raise Unavailable(f"{tempfile.gettempdir()} cannot be used: {error.strerror or error}") from error
        self.size += len(piece)
        self._sha256.update(piece)

    def digest(self) -> str:
        return self._sha256.hexdigest()
