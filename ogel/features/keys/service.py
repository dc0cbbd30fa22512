"""Keys: made, recognised, revoked. Only a key's SHA-256 is stored: 256 random bits need no slow hash."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from msgspec import structs

from ogel.features.keys.grants import Grant, check_grant, check_scopes, granted
from ogel.features.keys.guesses import Guesses
from ogel.features.keys.key import ApiKey, KeyRotation, MadeKey, NewKey
from ogel.features.keys.memory import BELIEVED_SECONDS, KeyMemory
from ogel.features.keys.networks import holds, networks_of
from ogel.features.keys.store import ADMIN, KeyStore, Standing
from ogel.features.keys.uses import KeyUses
from ogel.features.keys.watch import KeyWatch
from ogel.features.observability.contract import METRICS_SCOPE
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, DatabaseAway, Transaction
from ogel.runtime.realtime.broadcast import KEYS, Broadcast

log = structlog.get_logger(__name__)

MOST_READERS = 100
# How long whoever revokes a key waits for Redis to pass it on.
TELL_SECONDS = 1.0
_LATE = timedelta(minutes=1)

# What the database knows of a key, None where it knows none; and when it was asked, by the monotonic clock.
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
        `broadcast` carries the news of a revoked key; None where there is no Redis. `scopes` are those of all features:
        any other would make a key that is good for nothing. Without `guesses` anybody may try as many keys as they
        like.
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
        self._memory = KeyMemory()
        # With the moment each was asked at.
        self._asking: dict[bytes, tuple[float, asyncio.Task[_Found]]] = {}
        watch.on_news(self._forget_all)
        # By the hash of keys that may read metrics: whose they are, with nothing but that scope.
        self._readers: dict[bytes, Principal] = {}

    async def authenticate(self, key: str, caller: Caller) -> Principal | None:
        """
        None for a key that is unknown, revoked or expired. One that was good within the last second is not looked up
        again. While the database is away for longer, a key that this process has met may still read metrics, and
        nothing else: that is when they are wanted most. Raises RateLimited for one guess too many.
        """
        key_hash = _hash(key)
        if self._admin_hash is not None and hmac.compare_digest(key_hash, self._admin_hash):
            self._uses.note("key.use", ADMIN, caller)
            return Principal("admin", ADMIN, frozenset({"*"}))
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
        """Raises Forbidden where it may not be used from."""
        if principal.claims and not holds(principal.claims["networks"], caller.ip):
            self._uses.note("key.refuse", principal.id, caller, {"reason": "network"})
            raise Forbidden("This key may not be used from this address.")
        self._uses.note("key.use", principal.id, caller)
        return principal

    async def _look_up_a_guess(self, key_hash: bytes, caller: Caller) -> _Found:
        guesses = self._guesses
        if guesses is None:
            return await self._look_up(key_hash)
        await guesses.allow(key_hash, caller.ip)
        try:
            found, asked_at = await self._look_up(key_hash)
        except BaseException:
            guesses.was_none(key_hash, caller.ip)
            raise
        if found is None or found[1].ended is not None:
            guesses.was_wrong(key_hash)
        else:
            guesses.was_good(key_hash, caller.ip)
        return found, asked_at

    async def _look_up(self, key_hash: bytes) -> _Found:
        """
        Those who ask at the same time ask once: most of all when answers take long. But an answer on its way for longer
        than one is believed may be that old, too.
        """
        now = time.monotonic()
        asked_at, asking = self._asking.get(key_hash, (float("-inf"), None))
        if asking is None or now - asked_at >= BELIEVED_SECONDS:
            asking = asyncio.create_task(self._ask(key_hash, now))
            self._asking[key_hash] = now, asking
            asking.add_done_callback(lambda done: self._answered(key_hash, done))
        return await asyncio.shield(asking)

    async def _ask(self, key_hash: bytes, asked_at: float) -> _Found:
        async with self._database.autocommit() as tx:
            return await self._store.find(tx, key_hash), asked_at

    def _answered(self, key_hash: bytes, asking: asyncio.Task[_Found]) -> None:
        if key_hash in self._asking and self._asking[key_hash][1] is asking:
            del self._asking[key_hash]
        if not asking.cancelled():
            asking.exception()  # whoever asked may have gone

    def _forget_all(self) -> None:
        """There is news of a key: what was asked before says nothing any more."""
        self._memory.forget_all()
        self._asking.clear()

    def _judged(self, found: tuple[str, Standing] | None, caller: Caller) -> Principal | None:
        if found is None:
            self._uses.note("key.refuse", f"unknown:{caller.ip or '-'}", caller, {"reason": "unknown"})
            return None
        id, standing = found
        if standing.ended is not None:
            self._uses.note("key.refuse", id, caller, {"reason": standing.ended})
            return None
        claims = {} if standing.networks is None else {"networks": tuple(standing.networks)}
        return Principal("key", id, frozenset(standing.scopes), claims=claims)

    def _remember_reader(self, key_hash: bytes, principal: Principal | None) -> None:
        if principal is None or not principal.may(METRICS_SCOPE):
            self._forget(key_hash)
        elif key_hash not in self._readers and len(self._readers) < MOST_READERS:
            self._readers[key_hash] = replace(principal, scopes=frozenset({METRICS_SCOPE}))
            # While it can, the database says when it must be forgotten; and it may expire while the database is away.
            self._watch.watch(principal, METRICS_SCOPE, lambda _: self._forget(key_hash), seldom=True)

    def _forget(self, key_hash: bytes) -> None:
        self._readers.pop(key_hash, None)

    async def create(
        self, caller: Caller, name: str, scopes: list[str], expires_at: datetime | None = None
    ) -> tuple[str, str]:
        """Returns the id and the key itself, which nobody can read again."""
        if not 1 <= len(name) <= 200:
            raise Invalid.field("name", "takes 1 to 200 characters")
        if not scopes:
            raise Invalid.field("scopes", "takes at least one scope, such as events:write")
        self._check_scopes(scopes, "scopes")
        made = await self.make(caller, NewKey(name=name, scopes=scopes, expires_at=expires_at))
        return made.id, made.key

    async def make(self, caller: Caller, new: NewKey) -> MadeKey:
        """Raises Forbidden for what the caller does not have."""
        self._check_scopes(new.scopes, "body.scopes")
        check_scopes(caller.principal, new.scopes)
        _check_future(new.expires_at)
        networks = None if new.networks is None else tuple(networks_of(new.networks))
        async with self._database.transaction() as tx:
            grant = granted(await self._grant_of(tx, caller.principal), Grant(networks, new.expires_at))
            made = await self._insert(tx, caller, new.name, new.scopes, grant)
            metadata = {"name": new.name, "scopes": new.scopes}
            await self._audit.record(tx, caller, "key.create", "key", made.id, metadata)
        return made

    async def rotate(self, caller: Caller, id: str, rotation: KeyRotation) -> MadeKey:
        """
        A key with the rights of the old one, which works on for a while. Raises Conflict when that was done before:
        then it is the new one that can be rotated.
        """
        _check_future(rotation.expires_at)
        async with self._database.transaction() as tx:
            old = await self._to_change(tx, caller, id)
            if old.replaced_by is not None:
                raise Conflict(
                    f"The key {id} has been replaced already, by {old.replaced_by}: rotate that one."
                )
            grant = Grant(_tuple(old.networks), rotation.expires_at or old.expires_at)
            check_grant(await self._grant_of(tx, caller.principal), grant)
            made = await self._insert(tx, caller, old.name, old.scopes, grant)
            await self._store.replace(tx, id, made.id, rotation.overlap_seconds)
            metadata = {"replaced_by": made.id, "overlap_seconds": rotation.overlap_seconds}
            await self._audit.record(tx, caller, "key.rotate", "key", id, metadata)
        await self._tell(id)
        return made

    async def _insert(
        self, tx: Transaction, caller: Caller, name: str, scopes: list[str], grant: Grant
    ) -> MadeKey:
        id, key = new_id("key"), f"ogel_{secrets.token_urlsafe(32)}"
        row = {
            "id": id,
            "name": name,
            "key_hash": _hash(key),
            "hint": key[:9],
            "scopes": sorted(set(scopes)),
            "networks": None if grant.networks is None else list(grant.networks),
            "expires_at": grant.expires_at,
            "made_by": caller.principal.id,
        }
        await self._store.insert(tx, row)
        kept = await self._get(tx, id)
        return MadeKey(key=key, **structs.asdict(kept))

    async def _grant_of(self, tx: Transaction, maker: Principal) -> Grant:
        """Only keys are bound to networks and days."""
        if maker.kind != "key":
            return Grant(None, None)
        key = await self._store.get_good(tx, maker.id, to_change=False)
        if key is None:
            raise Unauthenticated("This key is not known.")
        return Grant(_tuple(key.networks), key.expires_at)

    async def _to_change(self, tx: Transaction, caller: Caller, id: str) -> ApiKey:
        """Nobody changes a key that they could not have made."""
        key = await self._store.get_good(tx, id, to_change=True)
        if key is None:
            raise NotFound(f"No key {id!r} that could be rotated or revoked.")
        check_scopes(caller.principal, key.scopes)
        return key

    def _check_scopes(self, wanted: Iterable[str], path: str) -> None:
        known = set(self._scopes())
        areas = {scope.partition(":")[0] for scope in known}
        for scope in wanted:
            if scope != "*" and scope not in known and scope not in {f"{area}:*" for area in areas}:
                takes = f"`*`, or one of {', '.join(sorted(areas))} with :read, :write (where things change) or :*"
                raise Invalid.field(path, f"{scope!r} is no scope; it takes {takes}")

    async def page(self, after: str | None, limit: int) -> list[ApiKey]:
        """Newest first, ended ones too."""
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
        From the commit on it is refused here, and within a second everywhere; streams that it opened are ended by every
        process that has some.
        """
        async with self._database.transaction() as tx:
            await self._to_change(tx, caller, id)
            await self._store.revoke(tx, id)
            await self._audit.record(tx, caller, "key.revoke", "key", id)
        await self._tell(id)

    async def _tell(self, id: str) -> None:
        self._watch.look_soon()  # whether or not we hear ourselves
        if self._broadcast is None:
            return
        try:
            async with asyncio.timeout(TELL_SECONDS):
                await self._broadcast.publish(KEYS, [id.encode()])
        except (TimeoutError, Unavailable) as error:
            meaning = "it is refused within a second, and streams that it opened end at the next look"
            # An error, so that whoever revokes at a command line sees it, too.
            log.error("key.end_not_told", key=id, error=str(error) or "no answer", meaning=meaning)


def _tuple(networks: list[str] | None) -> tuple[str, ...] | None:
    return None if networks is None else tuple(networks)


def _check_future(expires_at: datetime | None) -> None:
    """What ended just now may have been meant by another clock, or have been on its way for long."""
    if expires_at is not None and expires_at < utc_now() - _LATE:
        raise Invalid.field("body.expires_at", "is over")


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
