"""What another feature may ask of the audit log: the records of people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from msgspec import Struct


class PersonsRecord(Struct, frozen=True):
    """`user_id` is whose it is; that user may be gone."""

    id: str
    user_id: UUID
    action: str
    resource_type: str
    metadata: dict[str, Any]
    ip_address: str | None
    created_at: datetime


class PersonsRecords(Protocol):
    async def of_persons(
        self, user_ids: Sequence[UUID] | None, actions: Sequence[str] | None, offset: int, limit: int
    ) -> tuple[Sequence[PersonsRecord], int]:
        """
        Returns a page of the records of these users (None: of all users), newest first, and how many there are. Without
        `actions` records of all actions.
        """
