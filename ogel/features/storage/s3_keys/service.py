"""Makes, finds and revokes S3 keys. Their secrets are sealed and not hashed: signatures are computed with them."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress

from msgspec import Struct, structs

from ogel.features.storage.policy import READ, WRITE
from ogel.features.storage.s3_keys.key import MadeS3Key, NewS3Key, S3Key, secret_purpose
from ogel.features.storage.s3_keys.store import S3KeyStore
from ogel.kernel.errors import Forbidden, NotFound
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.audit import AuditTrail
from ogel.runtime.believed import Believed, Questions
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.rates.guesses import Guesses
from ogel.runtime.secrets.vault import Vault

# Of good keys that are remembered for a moment.
_MOST = 10_000
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_ID = re.compile(r"OGEL[A-Z2-7]{16}")
# Which buckets a principal's key may use, among its claims; none: all.
BUCKETS = "buckets"


class GoodKey(Struct, frozen=True):
    """What a signature is checked against, and who acts by it."""

    secret: str
    principal: Principal


class S3KeyService:
    def __init__(
        self, database: Database, store: S3KeyStore, vault: Vault, audit: AuditTrail, guesses: Guesses
    ) -> None:
        self._guesses = guesses
        self._database = database
        self._store = store
        self._vault = vault
        self._audit = audit
        self._memory: Believed[str, GoodKey] = Believed(_MOST)
        self._questions = Questions(self._ask)

    async def make(self, caller: Caller, new: NewS3Key) -> MadeS3Key:
        """Raises Forbidden for rights that the caller does not have."""
        _check_rights(caller.principal, read_only=new.read_only)
        if caller.principal.kind == "key" and "networks" in caller.principal.claims:
            raise Forbidden("This key is good from some networks only, and an S3 key from everywhere.")
        id = "OGEL" + "".join(secrets.choice(_ALPHABET) for _ in range(16))
        secret = secrets.token_urlsafe(30)
        row = {
            "id": id,
            "name": new.name,
            "secret": self._vault.seal(secret.encode(), secret_purpose(id)),
            "buckets": None if new.buckets is None else sorted(set(new.buckets)),
            "read_only": new.read_only,
            "made_by": caller.principal.id,
        }
        async with self._database.transaction() as tx:
            made = await self._store.insert(tx, row)
            metadata = {"name": new.name, "buckets": made.buckets, "read_only": new.read_only}
            await self._audit.record(tx, caller, "s3_key.create", "s3_key", id, metadata)
        return MadeS3Key(secret_access_key=secret, **structs.asdict(made))

    async def page(self, after: str | None, limit: int) -> list[S3Key]:
        """Newest first, including revoked ones."""
        async with self._database.autocommit() as tx:
            return await self._store.page(tx, after, limit)

    async def get(self, id: str) -> S3Key:
        async with self._database.autocommit() as tx:
            found = await self._store.get(tx, id)
        if found is None:
            raise NotFound(f"There is no S3 key {id!r}.")
        return found

    async def revoke(self, caller: Caller, id: str) -> None:
        """It is refused everywhere within a second. Raises NotFound, also for one that was revoked before."""
        async with self._database.transaction() as tx:
            revoked = await self._store.revoke(tx, id)
            if revoked is None:
                raise NotFound(f"No S3 key {id!r} that could be revoked.")
            _check_rights(caller.principal, read_only=revoked.read_only)
            await self._audit.record(tx, caller, "s3_key.revoke", "s3_key", id)
        self._memory.forget_all()
        self._questions.forget_all()

    async def find(self, id: str, ip: str | None) -> GoodKey | None:
        """
        The key of that access key id; None: it is unknown or revoked. The database is asked once a second. Raises
        RateLimited for who tries too many that are unknown.
        """
        key = id.encode()
        if not _ID.fullmatch(id) or self._guesses.is_wrong(key):
            return None
        if (remembered := self._memory.find(id)) is not None:
            return remembered
        await self._guesses.allow(key, ip)
        try:
            found, asked_at = await self._questions.answer(id)
        except BaseException:
            self._guesses.was_none(key, ip)
            raise
        if found is None:
            self._guesses.was_wrong(key)
            return None
        self._guesses.was_good(key, ip)
        self._memory.remember(id, found, asked_at)
        return found

    async def _ask(self, id: str) -> GoodKey | None:
        async with self._database.autocommit() as tx:
            good = await self._store.find(tx, id)
            if good is None:
                return None
            if good.is_fresh:
                with suppress(DatabaseAway):  # a database that takes no writes still lets keys in
                    await self._store.note_use(tx, id)
        secret = self._vault.unseal(bytes(good.secret), secret_purpose(id)).decode()
        scopes = {READ} if good.read_only else {READ, WRITE}
        claims = {} if good.buckets is None else {BUCKETS: tuple(good.buckets)}
        return GoodKey(secret, Principal("key", id, frozenset(scopes), claims=claims))


def _check_rights(maker: Principal, *, read_only: bool) -> None:
    for scope in (READ,) if read_only else (READ, WRITE):
        if not maker.may(scope):
            raise Forbidden(f"This key lacks the scope {scope!r}, and cannot give or take it.")
