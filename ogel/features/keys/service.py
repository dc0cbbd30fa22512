"""
Creates, authenticates, rotates and revokes keys. Only a key's SHA-256 is stored: 256 random bits need no slow hash.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from msgspec import structs

from ogel.features.keys.grants import Grant, check_grant, check_scopes, granted, role_of
from ogel.features.keys.key import ApiKey, KeyKind, KeyRotation, MadeKey, NewKey
from ogel.features.keys.networks import holds, networks_of
from ogel.features.keys.store import ADMIN, KeyStore, Standing
from ogel.features.keys.uses import KeyUses
from ogel.features.keys.watch import KeyWatch
from ogel.features.observability.contract import METRICS_SCOPE
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from ogel.kernel.ids import new_id
from ogel.kernel.principal import SERVICE, Caller, Principal
from ogel.runtime.audit import AuditTrail
from ogel.runtime.believed import Believed, Questions
from ogel.runtime.database.database import Database, DatabaseAway, Transaction
from ogel.runtime.rates.guesses import Guesses
from ogel.runtime.realtime.broadcast import KEYS, Broadcast

log = structlog.get_logger(__name__)

# Of accepted keys that are remembered for a moment.
MOST_KEYS = 10_000
MOST_READERS = 100
# How long revoking a key waits for Redis to announce it.
TELL_SECONDS = 1.0
_LATE = timedelta(minutes=1)
# What a key begins with says its kind to whoever comes across one.
_PREFIXES: Mapping[KeyKind, str] = {"secret": "ogel_", "publishable": "ogel_publishable_"}
_HINT_CHARACTERS = 4

# The key's row, None for an unknown key; and the monotonic time at which the database was asked.
_Found = tuple[tuple[str, Standing] | None, float]


class KeyService:
    def __init__(
        self,
        database: Database,
        store: KeyStore,
        audit: AuditTrail,
        uses: KeyUses,
        watch: KeyWatch,
        broadcast: Broadcast | None,
        admin_key: str | None,
        scopes: Callable[[], Collection[str]] = tuple,
        guesses: Guesses | None = None,
    ) -> None:
        """
        `broadcast` announces revoked keys; None without Redis. `scopes` returns the scopes of all features: a key with
        any other would be useless. Without `guesses` clients may try any number of keys.
        """
        self._database = database
        self._store = store
        self._audit = audit
        self._uses = uses
        self._watch = watch
        self._broadcast = broadcast
        self._admin_hash = _hash(admin_key) if admin_key else None
        self._scopes = scopes
        self._guesses = guesses
        # Principals by the hash of their key; of accepted keys only.
        self._memory: Believed[bytes, Principal] = Believed(MOST_KEYS)
        self._questions = Questions(self._ask)
        watch.on_news(self._forget_all)
        # Principals of keys that may read metrics, by the hash of the key, reduced to that scope.
        self._readers: dict[bytes, Principal] = {}

    async def authenticate(self, key: str, caller: Caller) -> Principal | None:
        """
        Returns None for a key that is unknown, revoked or expired. A key accepted within the last second is not looked
        up again. While the database is away for longer, a key that this process knows may still read metrics, but
        nothing else, because metrics are needed most then. Raises RateLimited after too many unknown keys.
        """
        key_hash = _hash(key)
        if self._admin_hash is not None and hmac.compare_digest(key_hash, self._admin_hash):
            self._uses.note("key.use", ADMIN, caller)
            return Principal("admin", ADMIN, frozenset({"*"}), role=SERVICE)
        if (remembered := self._memory.find(key_hash)) is not None:
            return self._used(remembered, caller)
        if self._guesses is not None and self._guesses.is_wrong(key_hash):
            return None
        try:
            found, asked_at = await self._look_up_a_guess(key_hash, caller)
        except DatabaseAway:
            if key_hash not in self._readers:
                raise
            return self._used(self._readers[key_hash], caller)
        principal = self._judged(found, caller)
        if found is not None and principal is not None:
            self._memory.remember(key_hash, principal, asked_at, found[1].expires_in_seconds)
        self._remember_reader(key_hash, principal)
        return None if principal is None else self._used(principal, caller)

    def _used(self, principal: Principal, caller: Caller) -> Principal:
        """Raises Forbidden when the key may not be used from the caller's address."""
        if principal.claims and not holds(principal.claims["networks"], caller.ip):
            self._uses.note("key.refuse", principal.id, caller, {"reason": "network"})
            raise Forbidden("This key may not be used from this address.")
        self._uses.note("key.use", principal.id, caller)
        return principal

    async def _look_up_a_guess(self, key_hash: bytes, caller: Caller) -> _Found:
        guesses = self._guesses
        if guesses is None:
            return await self._questions.answer(key_hash)
        await guesses.allow(key_hash, caller.ip)
        try:
            found, asked_at = await self._questions.answer(key_hash)
        except BaseException:
            guesses.was_none(key_hash, caller.ip)
            raise
        if found is None or found[1].ended is not None:
            guesses.was_wrong(key_hash)
        else:
            guesses.was_good(key_hash, caller.ip)
        return found, asked_at

    async def _ask(self, key_hash: bytes) -> tuple[str, Standing] | None:
        async with self._database.autocommit() as tx:
            return await self._store.find(tx, key_hash)

    def _forget_all(self) -> None:
        """A key has changed, so answers to earlier queries are out of date."""
        self._memory.forget_all()
        self._questions.forget_all()

    def _judged(self, found: tuple[str, Standing] | None, caller: Caller) -> Principal | None:
        if found is None:
            self._uses.note("key.refuse", f"unknown:{caller.ip or '-'}", caller, {"reason": "unknown"})
            return None
        id, standing = found
        if standing.ended is not None:
            self._uses.note("key.refuse", id, caller, {"reason": standing.ended})
            return None
        claims = {} if standing.networks is None else {"networks": tuple(standing.networks)}
        role = role_of(standing.kind, standing.scopes)
        return Principal("key", id, frozenset(standing.scopes), role=role, claims=claims)

    def _remember_reader(self, key_hash: bytes, principal: Principal | None) -> None:
        if principal is None or not principal.may(METRICS_SCOPE):
            self._forget(key_hash)
        elif key_hash not in self._readers and len(self._readers) < MOST_READERS:
            self._readers[key_hash] = replace(principal, scopes=frozenset({METRICS_SCOPE}))
            # The watch forgets the reader when its key ends, also when the key expires while the database is away.
            self._watch.watch(principal, METRICS_SCOPE, lambda _: self._forget(key_hash), seldom=True)

    def _forget(self, key_hash: bytes) -> None:
        self._readers.pop(key_hash, None)

    async def make(self, caller: Caller, new: NewKey) -> MadeKey:
        """Raises Forbidden for rights that the caller does not have."""
        self._check_scopes(new)
        check_scopes(caller.principal, new.scopes or ())
        _check_future(new.expires_at)
        networks = None if new.networks is None else tuple(networks_of(new.networks))
        async with self._database.transaction() as tx:
            grant = granted(await self._grant_of(tx, caller.principal), Grant(networks, new.expires_at))
            made = await self._insert(tx, caller, new, grant)
            metadata = {"name": new.name, "kind": new.kind, "scopes": new.scopes or []}
            await self._audit.record(tx, caller, "key.create", "key", made.id, metadata)
        return made

    async def rotate(self, caller: Caller, id: str, rotation: KeyRotation) -> MadeKey:
        """
        Makes a key with the rights of the old one, which keeps working during an overlap. Raises Conflict when the key
        was rotated before: then the new one can be rotated.
        """
        _check_future(rotation.expires_at)
        async with self._database.transaction() as tx:
            await self._store.lock(tx, {caller.principal.id, id})
            old = await self._to_change(tx, caller, id)
            if old.replaced_by is not None:
                raise Conflict(
                    f"The key {id} has been replaced already, by {old.replaced_by}: rotate that one."
                )
            networks, maker = _tuple(old.networks), await self._grant_of(tx, caller.principal)
            # Or a key of a day could end one that lasts, by a successor of a day.
            check_grant(maker, Grant(networks, old.expires_at))
            grant = Grant(networks, rotation.expires_at or old.expires_at)
            check_grant(maker, grant)
            made = await self._insert(tx, caller, old, grant)
            await self._store.replace(tx, id, made.id, rotation.overlap_seconds)
            metadata = {"replaced_by": made.id, "overlap_seconds": rotation.overlap_seconds}
            await self._audit.record(tx, caller, "key.rotate", "key", id, metadata)
        await self._tell(id)
        return made

    async def _insert(self, tx: Transaction, caller: Caller, like: NewKey | ApiKey, grant: Grant) -> MadeKey:
        prefix = _PREFIXES[like.kind]
        id, key = new_id("key"), f"{prefix}{secrets.token_urlsafe(32)}"
        row = {
            "id": id,
            "name": like.name,
            "kind": like.kind,
            "key_hash": _hash(key),
            "hint": key[: len(prefix) + _HINT_CHARACTERS],
            "scopes": sorted(set(like.scopes or ())),
            "networks": None if grant.networks is None else list(grant.networks),
            "expires_at": grant.expires_at,
            "made_by": caller.principal.id,
        }
        await self._store.insert(tx, row)
        kept = await self._get(tx, id)
        return MadeKey(key=key, **structs.asdict(kept))

    async def _grant_of(self, tx: Transaction, maker: Principal) -> Grant:
        """Only keys are bound to networks and an expiry."""
        if maker.kind != "key":
            return Grant(None, None)
        key = await self._store.get_good(tx, maker.id, to_change=False)
        if key is None:
            raise Unauthenticated("This key is not known.")
        return Grant(_tuple(key.networks), key.expires_at)

    async def _to_change(self, tx: Transaction, caller: Caller, id: str) -> ApiKey:
        """Locks a key. A caller may only change keys that it could have made."""
        key = await self._store.get_good(tx, id, to_change=True)
        if key is None:
            raise NotFound(f"No key {id!r} that could be rotated or revoked.")
        check_scopes(caller.principal, key.scopes)
        return key

    def _check_scopes(self, new: NewKey) -> None:
        if new.kind == "publishable" and new.scopes:
            raise Invalid.field("body.scopes", "must be left out: everybody may have a publishable key")
        if new.kind == "secret" and not new.scopes:
            raise Invalid.field("body.scopes", "is missing: a secret key takes at least one")
        known = set(self._scopes())
        areas = {scope.partition(":")[0] for scope in known}
        for scope in new.scopes or ():
            if scope != "*" and scope not in known and scope not in {f"{area}:*" for area in areas}:
                takes = f"`*`, or one of {', '.join(sorted(areas))} with :read, :write (where things change) or :*"
                raise Invalid.field("body.scopes", f"{scope!r} is no scope; it takes {takes}")

    async def page(self, after: str | None, limit: int) -> list[ApiKey]:
        """Newest first, including revoked and expired keys."""
        async with self._database.autocommit() as tx:
            return await self._store.page(tx, after, limit)

    async def get(self, id: str) -> ApiKey:
        async with self._database.autocommit() as tx:
            return await self._get(tx, id)

    async def _get(self, tx: Transaction, id: str) -> ApiKey:
        found = await self._store.get(tx, id)
        if found is None:
            raise NotFound(f"There is no key {id!r}.")
        return found

    async def revoke(self, caller: Caller, id: str) -> None:
        """
        The key is refused here from the commit on, and everywhere within a second; each process also ends the streams
        opened with it.
        """
        async with self._database.transaction() as tx:
            await self._to_change(tx, caller, id)
            await self._store.revoke(tx, id)
            await self._audit.record(tx, caller, "key.revoke", "key", id)
        await self._tell(id)

    async def _tell(self, id: str) -> None:
        self._watch.look_soon()  # this process may not receive its own announcement
        if self._broadcast is None:
            return
        try:
            async with asyncio.timeout(TELL_SECONDS):
                await self._broadcast.publish(KEYS, [id.encode()])
        except (TimeoutError, Unavailable) as error:
            meaning = "it is refused within a second, and streams that it opened end at the next look"
            # Logged as an error, so that it is also shown when a key is revoked at a command line.
            log.error("key.end_not_told", key=id, error=str(error) or "no answer", meaning=meaning)


def _tuple(networks: list[str] | None) -> tuple[str, ...] | None:
    return None if networks is None else tuple(networks)


def _check_future(expires_at: datetime | None) -> None:
    """An expiry that has just passed is accepted: clocks differ, and the request may have taken a while."""
    if expires_at is not None and expires_at < utc_now() - _LATE:
        raise Invalid.field("body.expires_at", "is over")


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
