"""The targets of registered databases, with the password unsealed for as long as it is needed."""

from __future__ import annotations

from ogel.features.databases.registry.database import password_purpose
from ogel.features.databases.registry.store import RegistryStore, SealedTarget
from ogel.kernel.errors import Invalid, NotFound, Unavailable
from ogel.runtime.database.database import Database
from ogel.runtime.database.registered import DatabaseType, Target, TargetError
from ogel.runtime.secrets.vault import Unsealable, Vault


class Targets:
    def __init__(self, database: Database, store: RegistryStore, vault: Vault) -> None:
        self._database = database
        self._store = store
        self._vault = vault

    def opened(self, sealed: SealedTarget) -> Target:
        """Raises TargetError when the password cannot be unsealed."""
        try:
            password = self.password(sealed)
        except Unsealable as error:
            unreadable = f"its password cannot be read: it was {error}, or send it again"
            raise TargetError(unreadable, final=True) from None
        return Target(
            sealed.type,
            sealed.host,
            sealed.port,
            sealed.database,
            sealed.username,
            password,
            sealed.ssl_mode,
            sealed.auth_source,
        )

    def password(self, sealed: SealedTarget) -> str | None:
        """Raises Unsealable."""
        if sealed.sealed_password is None:
            return None
        return self._vault.unseal(sealed.sealed_password, password_purpose(sealed.id)).decode()

    def sealed(self, database_id: str, password: str | None) -> bytes | None:
        if password is None:
            return None
        return self._vault.seal(password.encode(), password_purpose(database_id))

    async def postgresql(self, key: str) -> tuple[SealedTarget, Target]:
        """Returns the stored and the unsealed target. Raises NotFound, and Invalid for a database of another type."""
        async with self._database.autocommit() as tx:
            found = await self._store.targets(tx, [key])
        if not found:
            raise not_found(key)
        only_postgresql(found[0].type)
        try:
            return found[0], self.opened(found[0])
        except TargetError as error:
            raise Unavailable(f"Database {key!r}: {error.message}.") from None


def only_postgresql(type: DatabaseType) -> None:
    """Raises Invalid for a database of another type."""
    if type != "postgresql":
        raise Invalid.field("path.id", f"names a {type} database; this is for postgresql only")


def not_found(key: str) -> NotFound:
    return NotFound(f"No database {key!r}.")
