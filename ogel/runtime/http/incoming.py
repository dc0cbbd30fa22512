"""A request body between the connection and the application: ASGI's `receive`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Message

from ogel.runtime.http.chunked import Chunked

# Bytes that the application has not asked for yet; beyond this the connection is not read.
MAX_UNREAD_BYTES = 64 * 1024


class Incoming:
    """
    ended      all of the body has arrived.
    continues  the client waits for our word before it sends the body.
    """

    __slots__ = (
        "_changed", "_chunked", "_gone", "_left", "_on_taken", "_pieces", "_told_all", "_unread", "continues", "ended",
    )  # fmt: skip

    def __init__(self, length: int | None, continues: bool, on_taken: Callable[[], None]) -> None:
        """
        `on_taken` is called when the application waits for more of the body, and when it has taken what there was.
        """
        self.ended = length == 0
        self.continues = continues
        self._left = length or 0
        self._chunked = Chunked() if length is None else None
        self._on_taken = on_taken
        self._pieces: list[bytes] = []
        self._unread = 0
        self._told_all = False
        self._gone = False
        self._changed: asyncio.Event | None = None  # made once somebody waits

    @property
    def full(self) -> bool:
        return self._unread > MAX_UNREAD_BYTES

    def read(self, data: bytes, at: int) -> tuple[int, bool]:
        """
        Returns how far the body in `data` goes from `at` on, and whether to call again without more data. Raises
        Refused.
        """
        if self._chunked is not None:
            pieces, end, again = self._chunked.read(data, at)
            self.ended = self._chunked.ended
        else:
            end, again = min(at + self._left, len(data)), False
            pieces = [data[at:end]] if end > at else []
            self._left -= end - at
            self.ended = not self._left
        if end > at:
            self.continues = False
        if not self._gone:
            self._pieces += pieces
            self._unread += sum(map(len, pieces))
            if pieces or self.ended:
                self._wake()
        return end, again

    async def receive(self) -> Message:
        while True:
            if self._pieces or (self.ended and not self._told_all):
                return self._take()
            if self._gone:
                return {"type": "http.disconnect"}
            self._on_taken()
            self._changed = self._changed or asyncio.Event()
            self._changed.clear()
            await self._changed.wait()

    def disconnect(self) -> None:
        """Ends the body: the client has left, or has its answer."""
        self._gone = True
        if not self.ended:
            self._pieces.clear()
            self._unread = 0
        self._wake()

    def _take(self) -> Message:
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._unread = 0
        self._told_all = self.ended
        if not self.ended:
            self._on_taken()
        return {"type": "http.request", "body": body, "more_body": not self.ended}

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
