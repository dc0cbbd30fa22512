"""The keys that this process signs and verifies with, known from memory for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ogel.features.accounts.signing.key import Algorithm, SigningKey, generate
from ogel.features.accounts.signing.store import SigningKeyStore
from ogel.runtime.believed import Questions
from ogel.runtime.database.database import Database, Transaction

# What a process knows of the keys is used no longer than this: a revoked key is refused after it everywhere.
BELIEVED_SECONDS = 10.0
# The least time between two questions because of a `kid` that is not known, which anybody can send.
_UNKNOWN_SECONDS = 5.0


class Signer(Struct, frozen=True):
    """`private` is a key object of the cryptography library."""

    kid: str
    algorithm: Algorithm
    private: Any


class Verifier(Struct, frozen=True):
    """`public` is a key object of the cryptography library."""

    algorithm: Algorithm
    public: Any


class _Known(Struct, frozen=True):
    asked_at: float
    keys: list[SigningKey]
    verifiers: Mapping[str, Verifier]
    signer: Signer | None


_NOTHING = _Known(float("-inf"), [], {}, None)


class SigningKeys:
    """
    The first key is made when something is to be signed, in the database that all processes share; `algorithm` is that
    of new ones.
    """

    def __init__(self, database: Database, store: SigningKeyStore, algorithm: Algorithm) -> None:
        self._database = database
        self._store = store
        self.algorithm: Algorithm = algorithm
        self._known = _NOTHING
        self._questions: Questions[None, _Known] = Questions(self._ask)

    @property
    def is_in_use(self) -> bool:
        """Whether this process has signed or verified anything yet."""
        return self._known is not _NOTHING

    async def signer(self, tx: Transaction | None = None) -> Signer:
        """`tx` is the caller's transaction, so that nobody holds two connections. Raises Unavailable."""
        if self._is_fresh() and self._known.signer is not None:
            return self._known.signer
        if tx is not None:
            return await self._signer_there(tx)
        async with self._database.transaction() as own:
            return await self._signer_there(own)

    async def verifier(self, kid: str) -> Verifier | None:
        """Returns None for a key that is unknown or revoked."""
        known = await self._fresh()
        found = known.verifiers.get(kid)
        if found is None and time.monotonic() - known.asked_at > _UNKNOWN_SECONDS:
            found = (await self._asked()).verifiers.get(kid)
        return found

    async def published(self) -> list[SigningKey]:
        """
        Returns those that others should know, the newest first. The first key is made for who asks, too: otherwise
        they would remember that there is none.
        """
        if not (await self._fresh()).keys:
            await self.signer()
        return [key for key in (await self._fresh()).keys if key.state != "revoked"]

    def forget(self) -> None:
        """Called when keys have changed."""
        self._questions.forget_all()
        self._known = _Known(float("-inf"), [], {}, None) if self.is_in_use else _NOTHING

    async def _fresh(self) -> _Known:
        return self._known if self._is_fresh() else await self._asked()

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._known.asked_at < BELIEVED_SECONDS

    async def _asked(self) -> _Known:
        known, _ = await self._questions.answer(None)
        return known

    async def _ask(self, _: None) -> _Known:
        async with self._database.autocommit() as tx:
            return await self._look(tx)

    async def _look(self, tx: Transaction) -> _Known:
        asked_at = time.monotonic()
        keys = await self._store.all(tx)
        current, signer = _current(keys), self._known.signer
        if signer is not None and (current is None or current.kid != signer.kid):
            signer = None
        verifiers = {key.kid: self._verifier_of(key) for key in keys if key.state != "revoked"}
        self._known = _Known(asked_at, keys, verifiers, signer)
        return self._known

    async def _signer_there(self, tx: Transaction) -> Signer:
        """
        Makes the first key in the given transaction, if there is none; who does so at the same time waits for it, and
        finds it.
        """
        known = await self._look(tx)
        current = _current(known.keys)
        if current is None:
            await self._store.insert(tx, generate(self.algorithm), "current")
            current = _current(await self._store.all(tx))
            assert current is not None
        signer = known.signer
        if signer is None:
            pkcs8 = await self._store.private_key(tx, current.kid)
            signer = Signer(current.kid, current.algorithm, _private(pkcs8))
        if current in known.keys:
            self._known = replace(known, signer=signer)
        else:
            # If the transaction is rolled back, there is no such key.
            self.forget()
        return signer

    def _verifier_of(self, key: SigningKey) -> Verifier:
        return self._known.verifiers.get(key.kid) or Verifier(key.algorithm, _public(key.public_jwk))


def _current(keys: Sequence[SigningKey]) -> SigningKey | None:
    return next((key for key in keys if key.state == "current"), None)


def _private(pkcs8: bytes) -> Any:
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    return load_der_private_key(pkcs8, password=None)


def _public(jwk: Mapping[str, Any]) -> Any:
    from jwt import PyJWK

    return PyJWK.from_dict(dict(jwk)).key
