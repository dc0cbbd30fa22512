"""The rules of suppressions."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.mail.content import address_of
from ogel.features.mail.suppressions.suppression import NewSuppression, Suppression
from ogel.kernel.errors import NotFound
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Queries

_SQL = Queries.beside(__name__)


class SuppressionService:
    def __init__(self, database: Database, audit: AuditTrail) -> None:
        self._database = database
        self._audit = audit

    async def add(self, caller: Caller, new: NewSuppression) -> Suppression:
        address = address_of(new.address, "body.address").key
        async with self._database.transaction() as tx:
            parameters = {"address": address, "reason": new.reason, "detail": new.detail}
            if await tx.value(_SQL.insert_suppression, parameters) is not None:
                metadata = {"reason": new.reason}
                await self._audit.record(tx, caller, "mail.suppress", "mail_suppression", address, metadata)
            found = await tx.one(_SQL.get_suppression, {"address": address}, Suppression)
            if found is None:
                raise _none(address)  # somebody else deleted it in between
            return found

    async def list(self, after: str | None, limit: int) -> Sequence[Suppression]:
        """Sorted by address."""
        async with self._database.autocommit() as tx:
            return await tx.all(_SQL.list_suppressions, {"after": after, "limit": limit}, Suppression)

    async def remove(self, caller: Caller, text: str) -> None:
        """Later mail is sent again. Messages suppressed meanwhile stay so until they are retried."""
        address = address_of(text, "path.address").key
        async with self._database.transaction() as tx:
            if not await tx.execute(_SQL.delete_suppression, {"address": address}):
                raise _none(address)
            await self._audit.record(tx, caller, "mail.unsuppress", "mail_suppression", address)


def _none(address: str) -> NotFound:
    return NotFound(f"{address!r} is not suppressed.")
