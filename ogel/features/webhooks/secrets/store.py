"""The webhook_secrets table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from ogel.features.webhooks.secrets.secret import Signing
from ogel.runtime.database.database import Queries, Transaction

_SQL = Queries.beside(__name__)


class SealedSecret(Struct, frozen=True):
    """`expires_at` is None for the newest one, which signs until it is replaced."""

    id: str
    signing: Signing
    sealed: bytes
    created_at: datetime
    expires_at: datetime | None


class SecretStore:
    async def insert(self, tx: Transaction, values: Mapping[str, Any]) -> None:
        await tx.execute(_SQL.insert_secret, values)

    async def live(self, tx: Transaction, webhook_ids: Sequence[str]) -> Mapping[str, Sequence[SealedSecret]]:
        """Returns secrets by endpoint, newest first; none for an endpoint that does not exist."""
        found: defaultdict[str, list[SealedSecret]] = defaultdict(list)
        for webhook_id, *rest in await tx.tuples(_SQL.live_secrets, {"webhook_ids": list(webhook_ids)}):
            found[webhook_id].append(SealedSecret(*rest))
        return found

    async def next_version(self, tx: Transaction, webhook_id: str) -> Mapping[str, Any] | None:
        """The endpoint's settings that its secrets must suit; None for an endpoint that is not there."""
        rows = await tx.dicts(_SQL.next_version, {"webhook_id": webhook_id})
        return rows[0] if rows else None

    async def end_others(self, tx: Transaction, webhook_id: str, overlap_seconds: int) -> datetime | None:
        """The secrets that are there sign for `overlap_seconds` more at most. Returns when the last of them ends."""
        await tx.execute(_SQL.end_secrets, {"webhook_id": webhook_id, "overlap_seconds": overlap_seconds})
        await tx.execute(_SQL.drop_ended, {"webhook_id": webhook_id})
        last: datetime | None = await tx.value(_SQL.last_end, {"webhook_id": webhook_id})
        return last
