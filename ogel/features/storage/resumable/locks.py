"""
One request at a time writes to an upload.

The lock is a token in the upload's row, without a transaction that stays open. Whoever comes later asks for it: the
other stores what it has and lets go. One that does not (it was killed, or hangs) loses it after a few seconds, and what
it still writes is refused, since each of its changes asks for its token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from uuid import UUID, uuid4

from ogel.features.storage.errors import no_such_upload, refused_by_policy, upload_gone
from ogel.features.storage.resumable.store import LOCK_SECONDS, UploadStore
from ogel.features.storage.resumable.upload import Upload
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import OgelError, Unavailable
from ogel.kernel.principal import Principal
from ogel.runtime.database.database import Database

# Whoever is asked to let go has so long.
PATIENCE_SECONDS = 3.0
# How often it is looked whether another process lets go of a lock, and whether one asks for ours.
_POLL_SECONDS = 0.1
_LOOK_SECONDS = 1.0
_RENEW_SECONDS = LOCK_SECONDS / 3


class Lock:
    """`upload` is as it was when the lock was taken."""

    def __init__(self, upload: Upload, token: UUID) -> None:
        self.upload = upload
        self.token = token
        self.released = asyncio.Event()
        self._is_asked = False
        self._let_go: Callable[[], None] | None = None

    def when_asked(self, let_go: Callable[[], None]) -> None:
        """Has the function called once somebody else wants the lock, or has it."""
        self._let_go = let_go
        if self._is_asked:
            let_go()

    def ask(self) -> None:
        self._is_asked = True
        if self._let_go is not None:
            self._let_go()


class UploadLocks:
    def __init__(self, database: Database, store: UploadStore) -> None:
        self._database = database
        self._store = store
        # Those of this process, which hears at once who wants them.
        self._here: dict[UUID, Lock] = {}

    @asynccontextmanager
    async def taken(self, principal: Principal, id: UUID) -> AsyncIterator[Lock]:
        """Raises StorageError NoSuchUpload, AccessDenied."""
        await self.see(principal, id)
        lock = self._here[id] = await self._take(id)
        watching = asyncio.create_task(self._watch(lock))
        try:
            yield lock
        finally:
            watching.cancel()
            if self._here.get(id) is lock:
                del self._here[id]
            with suppress(OgelError):  # it ends by itself
                async with self._database.autocommit() as tx:
                    await self._store.unlock(tx, id, lock.token)
            lock.released.set()

    async def settled(self, principal: Principal, id: UUID) -> Upload:
        """The upload, whose offset is not moved any more by a request that came before. Raises as `taken` does."""
        upload, is_busy = await self.see(principal, id)
        if is_busy:
            async with self.taken(principal, id) as lock:
                return lock.upload
        return upload

    async def see(self, principal: Principal, id: UUID) -> tuple[Upload, bool]:
        """The upload, and whether a request writes to it. Raises as `taken` does."""
        async with self._database.autocommit() as tx:
            found = await self._store.get(tx, id)
        if found is None:
            raise no_such_upload()
        if not found.upload.is_of(principal):
            raise refused_by_policy()
        # Whoever uploads once more what has been deleted since must not hear that all of it has come.
        if found.is_lost or found.upload.expires_at < utc_now():
            raise upload_gone()
        return found.upload, found.is_busy

    async def _take(self, id: UUID) -> Lock:
        token, patient_until = uuid4(), time.monotonic() + PATIENCE_SECONDS
        while True:
            is_impatient = time.monotonic() > patient_until
            async with self._database.autocommit() as tx:
                upload = await self._store.lock(tx, id, token, force=is_impatient)
                if upload is not None:
                    return Lock(upload, token)
                if is_impatient:
                    raise no_such_upload()
                await self._store.ask_release(tx, id)
            other = self._here.get(id)
            if other is None:
                await asyncio.sleep(_POLL_SECONDS)
                continue
            other.ask()
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS / 2):
                    await other.released.wait()

    async def _watch(self, lock: Lock) -> None:
        """Keeps the lock, and hears of other processes that want it."""
        id, renewed_at = lock.upload.id, time.monotonic()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            is_due = time.monotonic() > renewed_at + _RENEW_SECONDS
            try:
                async with self._database.autocommit() as tx:
                    ask = self._store.renew if is_due else self._store.look
                    is_quiet = await ask(tx, id, lock.token)
            except Unavailable:  # what is written says so soon enough
                continue
            if is_due:
                renewed_at = time.monotonic()
            if not is_quiet:
                lock.ask()
                return
