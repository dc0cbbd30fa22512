"""The signing_keys table."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ogel.features.accounts.signing.key import NewSigningKey, SigningKey, State, private_key_purpose
from ogel.kernel.errors import Unavailable
from ogel.runtime.database.database import Queries, Transaction
from ogel.runtime.secrets.vault import Unsealable, Vault

_SQL = Queries.beside(__name__)


class SigningKeyStore:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def all(self, tx: Transaction) -> list[SigningKey]:
        """Newest first."""
        return await tx.all(_SQL.all_keys, None, SigningKey)

    async def lock(self, tx: Transaction) -> None:
        await tx.execute(_SQL.lock_all)

    async def private_key(self, tx: Transaction, kid: str) -> bytes:
        """Returns the private half as PKCS #8. Raises Unavailable when it is sealed under another OGEL_SECRET."""
        sealed = await tx.value(_SQL.private_key, {"kid": kid})
        try:
            return self._vault.unseal(bytes(sealed), private_key_purpose(kid))
        except Unsealable as error:
            raise Unavailable("What tokens are signed with cannot be read.") from error

    async def insert(self, tx: Transaction, key: NewSigningKey, state: State) -> None:
        """Does nothing when `state` is current and there is such a key."""
        row = {
            "kid": key.kid,
            "algorithm": key.algorithm,
            "state": state,
            "public_jwk": msgspec.json.encode(key.public_jwk).decode(),
            "private_key": self._vault.seal(key.pkcs8, private_key_purpose(key.kid)),
        }
        await tx.execute(_SQL.insert_key, row)

    async def retire(self, tx: Transaction, kids: Sequence[str], state: State) -> None:
        await tx.execute(_SQL.retire, {"kids": list(kids), "state": state})

    async def promote(self, tx: Transaction, kid: str) -> None:
        await tx.execute(_SQL.promote, {"kid": kid})

    async def forget(self, tx: Transaction, kids: Sequence[str]) -> None:
        await tx.execute(_SQL.forget, {"kids": list(kids)})
