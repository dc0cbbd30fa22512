"""The bytes of a request, cut into segments. What came before the connection broke counts as what was sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator

from ogel.features.storage.resumable.checksum import Checksum


class Source:
    """
    checksum  what all of them are to come to; None: it was not said.
    broken    what ended the bytes before their end; they were used up to there.
    stopped   whether `stop` ended them.
    """

    def __init__(self, content: AsyncIterable[bytes], checksum: Checksum | None) -> None:
        self.broken: Exception | None = None
        self.stopped = False
        self._content = aiter(content)
        self.checksum = checksum
        self._next = b""
        self._is_over = False
        self._reading: asyncio.Future[bytes | None] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all came that was sent."""
        return self._is_over and self.broken is None and not self.stopped

    def stop(self) -> None:
        """Ends the bytes here, whoever waits for more."""
        self.stopped = True
        if self._reading is not None:
            self._reading.cancel()

    async def has_more(self) -> bool:
        while not self._next and not self._is_over:
            piece = None if self.stopped else await self._read()
            if piece is None:
                self._is_over = True
            else:
                self._next = piece
                if self.checksum is not None:
                    self.checksum.update(piece)
        return bool(self._next)

    async def segment(self, most: int, seconds: float) -> AsyncIterator[bytes]:
        """Yields up to `most` bytes, fewer when no more have come after about so many seconds."""
        end = time.monotonic() + seconds
        while most and await self.has_more():
            piece, self._next = self._next[:most], self._next[most:]
            most -= len(piece)
            yield piece
            if time.monotonic() > end:
                return

    async def _read(self) -> bytes | None:
        self._reading = asyncio.ensure_future(_next_of(self._content))
        try:
            return await self._reading
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self.stopped or (task is not None and task.cancelling()):
                raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the bytes before it came
            self.broken = error
        return None


async def _next_of(content: AsyncIterator[bytes]) -> bytes | None:
    return await anext(content, None)
