"""
Hashes and verifies passwords in threads of their own: two at once, few waiting, and the rest are told to come back.

Argon2id takes 19 MiB and tens of milliseconds each time, so that what does not bound them is brought down by a flood of
sign-ins.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from argon2 import PasswordHasher, Type

from ogel.features.accounts.passwords.formats import OWN, is_right
from ogel.kernel.errors import Unavailable

# OWASP's password storage cheat sheet. Together at most 38 MiB.
MEMORY_KIB, ROUNDS, LANES = 19_456, 2, 1
THREADS = 2
MOST_WAITING = 20
# Of these threads among all others, so that the event loop runs when it has something to do.
_NICENESS = 5
_SALT_BYTES, _HASH_BYTES = 16, 32

Result = TypeVar("Result")


class Verified(NamedTuple):
    """`needs_rehash`: the password is right, and its hash is not one that we would make today."""

    ok: bool
    needs_rehash: bool = False


class Hasher:
    """The threads are started when they are first needed, and one instance is shared by all who hash."""

    def __init__(self, threads: int = THREADS, most_waiting: int = MOST_WAITING) -> None:
        self._argon2 = PasswordHasher(
            ROUNDS, MEMORY_KIB, LANES, hash_len=_HASH_BYTES, salt_len=_SALT_BYTES, type=Type.ID
        )
        self._pool = ThreadPoolExecutor(threads, "passwords", initializer=_yield_to_others)
        self._places = threading.Semaphore(threads + most_waiting)
        self._nobodys = _a_hash_of_nothing()

    def admit(self) -> None:
        """Raises Unavailable when too many wait: to be asked before anything is looked up for one more."""
        if not self._places.acquire(blocking=False):
            raise _crowded()
        self._places.release()

    async def hash(self, password: str) -> str:
        """Raises Unavailable when too many wait."""
        return await self._in_pool(lambda: self._argon2.hash(password.encode()))

    async def verify(self, stored: str | None, password: str) -> Verified:
        """
        Without a stored hash it takes as long as with one, and is wrong. Raises Unavailable when too many wait.
        """
        return await self._in_pool(lambda: self._verify(stored, password.encode()))

    def _verify(self, stored: str | None, password: bytes) -> Verified:
        if not stored:
            is_right(self._nobodys, password)
            return Verified(False)
        if not is_right(stored, password):
            return Verified(False)
        return Verified(True, not stored.startswith(OWN) or self._argon2.check_needs_rehash(stored))

    async def _in_pool(self, work: Callable[[], Result]) -> Result:
        # Counted until the thread is done, not until the caller has left: otherwise clients that hang up would queue
        # work without end.
        if not self._places.acquire(blocking=False):
            raise _crowded()
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)


def _crowded() -> Unavailable:
    return Unavailable("Too many people sign in at the moment.", retry_after_seconds=1)


def _a_hash_of_nothing() -> str:
    """No password has this hash, and it takes as long as any other to find that out."""
    salt, digest = (_base64(secrets.token_bytes(length)) for length in (_SALT_BYTES, _HASH_BYTES))
    return f"{OWN}v=19$m={MEMORY_KIB},t={ROUNDS},p={LANES}${salt}${digest}"


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode().rstrip("=")


def _yield_to_others() -> None:
    if sys.platform == "linux":  # elsewhere it would concern the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
