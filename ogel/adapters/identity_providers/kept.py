"""A document of a provider that is fetched when it is needed, by one at a time, and kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ogel.runtime.identity_provider import ProviderError

KEPT_SECONDS = 3600.0
# So long a failure is answered with the same failure, so that those who wait behind it do not each wait for another.
FAILED_SECONDS = 5.0

Document = TypeVar("Document")


class Kept(Generic[Document]):
    def __init__(
        self, fetch: Callable[[], Awaitable[Document]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._fetching = asyncio.Lock()
        self._document: Document | None = None
        self._failure: ProviderError | None = None
        self._fetched_at = 0.0

    async def get(self, at_most_seconds: float = KEPT_SECONDS) -> Document:
        """Returns the document, fetched anew when the one that is kept is older. Raises ProviderError."""
        async with self._fetching:
            age = self._clock() - self._fetched_at
            if self._failure is not None and age < FAILED_SECONDS:
                raise ProviderError(str(self._failure)) from self._failure
            if self._document is None or self._failure is not None or age >= at_most_seconds:
                await self._renew()
            assert self._document is not None
            return self._document

    async def _renew(self) -> None:
        try:
            self._document, self._failure = await self._fetch(), None
        except ProviderError as error:
            self._failure = error
            raise
        finally:
            self._fetched_at = self._clock()
