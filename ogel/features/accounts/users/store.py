"""The tables users and identities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import msgspec

from ogel.features.accounts.users.user import Identity, User
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Queries, Transaction

# Columns as `User` and `Identity` name them.
USER = b"""id, aud, role, email, email_confirmed_at, email_change, email_change_confirm_status, phone,
  phone_confirmed_at, confirmed_at, encrypted_password, invited_at, confirmation_sent_at, recovery_sent_at,
  email_change_sent_at, reauthentication_sent_at, last_sign_in_at, raw_app_meta_data AS app_metadata,
  raw_user_meta_data AS user_metadata, labels, banned_until, is_anonymous, is_sso_user, deleted_at, created_at,
  updated_at"""
_IDENTITY = (
    b"id, user_id, provider, provider_id, identity_data, email, last_sign_in_at, created_at, updated_at"
)
_SQL = Queries.beside(__name__, user=USER, identity=_IDENTITY)

_NEW: Mapping[str, Any] = {
    "aud": "authenticated",
    "role": "authenticated",
    "raw_app_meta_data": {},
    "raw_user_meta_data": {},
    "labels": [],
    "is_anonymous": False,
    "is_sso_user": False,
}


class UserStore:
    """`columns` are named as in the tables; `updated_at` is set by itself."""

    async def get(self, tx: Transaction, id: UUID) -> User | None:
        return await tx.one(_SQL.get_user, {"id": id}, User)

    async def by_email(self, tx: Transaction, email: str) -> User | None:
        """`email` is in lower case."""
        return await tx.one(_SQL.by_email, {"email": email}, User)

    async def lock(self, tx: Transaction, id: UUID) -> User | None:
        return await tx.one(_SQL.lock_user, {"id": id}, User)

    async def insert(self, tx: Transaction, **columns: Any) -> User | None:
        """Returns None when another user has the address, the number or the id."""
        row = {**_NEW, "id": uuid4(), **columns}
        return await tx.one(_SQL.insert_user, {"row": _json(row)}, User)

    async def update(self, tx: Transaction, id: UUID, **columns: Any) -> User:
        """The user exists. Raises psycopg's UniqueViolation when another one has the address."""
        parameters = {"id": id, "changes": _json(columns)}
        user = await tx.one(_SQL.update_user, parameters, User)
        assert user is not None
        return user

    async def delete(self, tx: Transaction, id: UUID) -> None:
        """Its identities, sessions, factors and codes go with it."""
        await tx.execute(_SQL.delete_user, {"id": id})

    async def identities(self, tx: Transaction, user_id: UUID) -> list[Identity]:
        """The oldest first."""
        return await tx.all(_SQL.identities, {"user_id": user_id}, Identity)

    async def identities_of_all(self, tx: Transaction, user_ids: Sequence[UUID]) -> list[Identity]:
        return await tx.all(_SQL.identities_of_all, {"user_ids": list(user_ids)}, Identity)

    async def identity(self, tx: Transaction, provider: str, provider_id: str) -> Identity | None:
        return await tx.one(_SQL.identity, {"provider": provider, "provider_id": provider_id}, Identity)

    async def insert_identity(
        self, tx: Transaction, user_id: UUID, provider: str, provider_id: str, data: Mapping[str, Any]
    ) -> Identity | None:
        """Returns None when the identity belongs to somebody already."""
        row = {
            "user_id": user_id,
            "provider": provider,
            "provider_id": provider_id,
            "identity_data": _json(data),
            "last_sign_in_at": utc_now(),
        }
        return await tx.one(_SQL.insert_identity, row, Identity)

    async def update_identity(self, tx: Transaction, id: UUID, **columns: Any) -> Identity:
        parameters = {"id": id, "changes": _json(columns)}
        identity = await tx.one(_SQL.update_identity, parameters, Identity)
        assert identity is not None
        return identity

    async def delete_identity(self, tx: Transaction, id: UUID) -> None:
        await tx.execute(_SQL.delete_identity, {"id": id})


def _json(columns: Mapping[str, Any]) -> str:
    return msgspec.json.encode(columns).decode()
