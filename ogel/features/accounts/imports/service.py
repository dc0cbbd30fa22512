"""Takes users who were somewhere else, many at once. Whoever is there already stays as they are."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import msgspec

from ogel.features.accounts.administration.wanted import checked_role
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.factors.store import TOTP, FactorStore, secret_purpose
from ogel.features.accounts.imports.imported import (
    IdentityRow,
    ImportedUser,
    ImportReport,
    NotTaken,
)
from ogel.features.accounts.passwords.formats import UnknownHash, check_hash
from ogel.features.accounts.users.address import email_of
from ogel.kernel.clock import utc_now
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Queries, Transaction, records
from ogel.runtime.secrets.vault import Vault

_SQL = Queries.beside(__name__)
# As JSON has it; no text of PostgreSQL holds it.
_NUL = b"\\u0000"
# RFC 4226 §4, R6.
_LEAST_SECRET_BYTES = 16


class ImportService:
    def __init__(self, database: Database, factors: FactorStore, vault: Vault, audit: AuditTrail) -> None:
        self._database = database
        self._factors = factors
        self._vault = vault
        self._audit = audit

    async def take(self, caller: Caller, users: Sequence[ImportedUser]) -> ImportReport:
        """
        In one transaction. Nobody is told by events: an app that moves knows its users. What cannot be taken of one
        user is reported, and holds up nobody else. Raises Forbidden for a role that the caller may not give.
        """
        not_taken: list[NotTaken] = []
        for user in users:
            checked_role(user.role, caller.principal)
        rows = {user.id: row for user in users if (row := _row(user, not_taken)) is not None}
        async with self._database.transaction() as tx:
            known = {id for (id,) in await tx.tuples(_SQL.known, {"ids": list(rows)})}
            fresh = {id: row for id, row in rows.items() if id not in known}
            taken = await self._insert(tx, fresh)
            not_taken += [_taken_address(id) for id in fresh if id not in taken]
            new = [user for user in users if user.id in taken]
            not_taken += await self._identities(tx, new)
            not_taken += await self._authenticators(tx, new)
            metadata = {"taken": len(taken), "known": len(known), "not_taken": len(not_taken)}
            await self._audit.record(tx, caller, "user.import", "users", "many", metadata)
        return ImportReport(len(taken), len(known), not_taken)

    async def _insert(self, tx: Transaction, rows: dict[UUID, dict[str, Any]]) -> set[UUID]:
        found = await tx.tuples(_SQL.insert_users, {"rows": records(list(rows.values()))})
        return {id for (id,) in found}

    async def _identities(self, tx: Transaction, users: Sequence[ImportedUser]) -> list[NotTaken]:
        rows = [
            IdentityRow(
                user.id,
                each.provider,
                each.provider_id,
                each.identity_data,
                each.last_sign_in_at,
                each.created_at or user.created_at or utc_now(),
            )
            for user in users
            for each in user.identities
        ]
        found = set(await tx.tuples(_SQL.insert_identities, {"rows": records(rows)}))
        return [
            NotTaken(row.user_id, f"identity {row.provider}", "it belongs to another user")
            for row in rows
            if (row.provider, row.provider_id) not in found
        ]

    async def _authenticators(self, tx: Transaction, users: Sequence[ImportedUser]) -> list[NotTaken]:
        not_taken = []
        for user in users:
            names = set[str]()
            for number, factor in enumerate(user.factors):
                secret = _decoded(factor.secret)
                name = factor.friendly_name or ""
                if secret is None or name in names:
                    why = (
                        "its secret is no base32, or short" if secret is None else "another one has its name"
                    )
                    not_taken.append(NotTaken(user.id, f"factor {number + 1}", why))
                    continue
                if name:
                    names.add(name)
                id = uuid4()
                await self._factors.insert(
                    tx,
                    id=id,
                    user_id=user.id,
                    friendly_name=name,
                    factor_type=TOTP,
                    status="verified",
                    secret=self._vault.seal(secret, secret_purpose(str(id))),
                )
        return not_taken


def _decoded(secret: str) -> bytes | None:
    """Of base32 as authenticator apps show it: in any case, without padding. None for what is none, or too short."""
    plain = secret.replace(" ", "").rstrip("=").upper()
    try:
        decoded = base64.b32decode(plain + "=" * (-len(plain) % 8))
    except (binascii.Error, ValueError):
        return None
    return decoded if len(decoded) >= _LEAST_SECRET_BYTES else None


def _row(user: ImportedUser, not_taken: list[NotTaken]) -> dict[str, Any] | None:
    """Returns the row of `users`; None, with a reason among `not_taken`, for one that cannot be."""
    if _NUL in msgspec.json.encode(user):
        not_taken.append(NotTaken(user.id, "user", "a text holds the character NUL"))
        return None
    try:
        email = None if user.email is None else email_of(user.email)
    except AccountError as error:
        not_taken.append(NotTaken(user.id, "user", error.message))
        return None
    hash = user.password_hash or None
    if hash is not None:
        try:
            check_hash(hash)
        except UnknownHash:
            not_taken.append(NotTaken(user.id, "password", "its hash is of no known form, or costs too much"))
            hash = None
    return {
        "id": user.id,
        "role": user.role,
        "email": email,
        "email_confirmed_at": user.email_confirmed_at,
        "phone": user.phone or None,
        "phone_confirmed_at": user.phone_confirmed_at,
        "encrypted_password": hash,
        "invited_at": user.invited_at,
        "last_sign_in_at": user.last_sign_in_at,
        "raw_app_meta_data": user.app_metadata,
        "raw_user_meta_data": user.user_metadata,
        "labels": user.labels,
        "banned_until": user.banned_until,
        "is_anonymous": user.is_anonymous,
        "created_at": user.created_at or utc_now(),
    }


def _taken_address(id: UUID) -> NotTaken:
    return NotTaken(id, "user", "somebody else has the address or the number")
