"""Signing keys take turns: each is published before it signs, and believed for as long as what it has signed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from ogel.features.accounts.signing.key import Algorithm, SigningKey, State, generate
from ogel.features.accounts.signing.keys import SigningKeys
from ogel.features.accounts.signing.store import SigningKeyStore
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict
from ogel.kernel.ids import new_id
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, DatabaseAway, Transaction

log = structlog.get_logger(__name__)

# How often a process sees to the keys, if it has used them.
LOOK_SECONDS = 600.0
# Longer than anybody remembers the published keys: our processes, and who obeys the Cache-Control of jwks.json.
PUBLISHED_BEFORE = timedelta(hours=1)
# Longer than any access token lives (OGEL_AUTH_TOKEN_SECONDS is a day at most).
BELIEVED_AFTER = timedelta(days=1, hours=1)
# A revoked key is shown for so long, to whoever wonders.
SHOWN_AFTER = timedelta(days=30)


class SigningKeyService:
    def __init__(
        self,
        database: Database,
        store: SigningKeyStore,
        keys: SigningKeys,
        audit: AuditTrail,
        algorithm: Algorithm,
        days: float,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """A key signs for `days`, or until it is rotated if that is 0."""
        self._database = database
        self._store = store
        self._keys = keys
        self._audit = audit
        self._algorithm = algorithm
        self._days = days
        self._now = now

    async def all(self) -> list[SigningKey]:
        """The newest first."""
        async with self._database.autocommit() as tx:
            return await self._store.all(tx)

    async def rotate(self, caller: Caller) -> SigningKey:
        """
        Makes the next key, which signs in an hour or a little later; so does the one that stands by already. Raises
        Conflict when nothing was ever signed.
        """
        async with self._database.transaction() as tx:
            keys = await self._locked(tx)
            if _first(keys, "current") is None:
                raise Conflict(
                    "There is no key yet: the first is made when somebody signs in, or asks for the public ones."
                )
            if _first(keys, "standby") is None:
                await self._stand_by(tx, caller)
            standby = _first(await self._store.all(tx), "standby")
        self._keys.forget()
        assert standby is not None
        return standby

    async def replace(self, caller: Caller) -> SigningKey:
        """
        Signs with a new key from now on, and believes no other: for keys that somebody has got hold of. Every access
        token has to be refreshed, and who verifies them with published keys has to fetch those.
        """
        async with self._database.transaction() as tx:
            keys = await self._locked(tx)
            await self._store.retire(tx, [key.kid for key in keys], "revoked")
            new = generate(self._algorithm)
            await self._store.insert(tx, new, "current")
            revoked = [key.kid for key in keys if key.state != "revoked"]
            metadata = {"revoked": revoked, "algorithm": self._algorithm}
            await self._audit.record(tx, caller, "auth.replace_keys", "signing_key", new.kid, metadata)
            current = _first(await self._store.all(tx), "current")
        self._keys.forget()
        assert current is not None
        return current

    async def run(self, stop: asyncio.Event) -> None:
        """Sees to the keys of a process that has used them."""
        while not stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()
                    return
            if self._keys.is_in_use:
                try:
                    await self.see_to()
                except DatabaseAway as error:
                    log.warning("signing_keys.not_seen_to", error=error.reason)

    async def see_to(self) -> None:
        """What is due, whoever else sees to it at the same time."""
        caller, now = Caller(SYSTEM, new_id("req")), self._now()
        async with self._database.transaction() as tx:
            keys = await self._locked(tx)
            current, standby = _first(keys, "current"), _first(keys, "standby")
            if current is None:
                return
            if standby is not None and now - standby.created_at >= PUBLISHED_BEFORE:
                await self._store.retire(tx, [current.kid], "previous")
                await self._store.promote(tx, standby.kid)
                await self._audit.record(
                    tx, caller, "auth.rotate_keys", "signing_key", standby.kid, {"before": current.kid}
                )
            elif standby is None and self._is_over(current, now):
                await self._stand_by(tx, caller)
            await self._store.retire(tx, _older(keys, "previous", now - BELIEVED_AFTER), "revoked")
            await self._store.forget(tx, _older(keys, "revoked", now - SHOWN_AFTER))
        self._keys.forget()

    def _is_over(self, current: SigningKey, now: datetime) -> bool:
        since = current.current_at or current.created_at
        return self._days > 0 and now - since >= timedelta(days=self._days) - PUBLISHED_BEFORE

    async def _stand_by(self, tx: Transaction, caller: Caller) -> None:
        new = generate(self._algorithm)
        await self._store.insert(tx, new, "standby")
        metadata = {"algorithm": self._algorithm}
        await self._audit.record(tx, caller, "auth.add_key", "signing_key", new.kid, metadata)

    async def _locked(self, tx: Transaction) -> list[SigningKey]:
        await self._store.lock(tx)
        return await self._store.all(tx)


def _first(keys: list[SigningKey], state: State) -> SigningKey | None:
    return next((key for key in keys if key.state == state), None)


def _older(keys: list[SigningKey], state: State, than: datetime) -> list[str]:
    return [key.kid for key in keys if key.state == state and key.retired_at and key.retired_at <= than]
