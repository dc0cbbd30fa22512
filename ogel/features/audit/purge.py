"""Audit records are purged only from the beginning of the chain; the anchor stores where the chain begins now."""

from __future__ import annotations

from datetime import datetime

from ogel.features.audit.chain import End
from ogel.features.audit.chain_store import ChainStore
from ogel.features.audit.ends import Ends
from ogel.runtime.database.database import Transaction
from ogel.runtime.purge import Purge, whole


def purge_of_audit_logs(store: ChainStore, ends: Ends, retention_days: float) -> Purge:
    """Only sealed records are purged. `batch` raises EndChanged."""

    async def batch(tx: Transaction, before: datetime, limit: int) -> int:
        await ends.hold(tx, "anchor")
        prefix = await store.prefix(tx, before, limit)
        if prefix is None:
            return 0
        deleted = await store.delete_until(tx, prefix.seq)
        await ends.move(tx, "anchor", End(prefix.seq, prefix.hash))
        return deleted

    return Purge(
        "audit_logs",
        "audit records that were sealed",
        retention_days,
        store.count_old,
        whole(batch),
        is_firm=True,
    )
