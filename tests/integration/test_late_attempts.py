"""What is known late about an attempt that was taken for lost: the log tells the truth, and nothing else changes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.webhooks.sending.due import DeliveryState, LoggedAttempt, LostAttempt
from ogel.features.webhooks.sending.receiver import Receivers
from ogel.features.webhooks.sending.store import AttemptStore
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Database

BEGAN = utc_now() - timedelta(minutes=1)
NO_RECEIVERS: Receivers = None  # type: ignore[assignment]  # nothing here is sent

LOST = [LostAttempt("dlv_1", BEGAN)]
LATE = [LoggedAttempt("dlv_1", 1, "delivered", BEGAN, 2.5, response_status=204)]
SECOND = LoggedAttempt("dlv_1", 2, "failed", BEGAN, 0.5, reason="status", response_status=500)
SETTLED = DeliveryState("dlv_1", "failed", 2, None)


async def tell(store: AttemptStore, database: Database, what: str) -> None:
    async with database.transaction() as tx:
        if what == "lost":
            await store.record_lost(tx, LOST)
        elif what == "late":
            await store.record_late(tx, [*LATE, LoggedAttempt("dlv_gone", 1, "delivered", BEGAN, 1.0)])
        else:
            await store.record(tx, [SECOND], [SETTLED])


@pytest.mark.parametrize(
    "order",
    [
        ("lost", "late", "second"),
        ("lost", "second", "late"),
        ("late", "lost", "second"),
        ("lost", "late", "late", "second"),
        ("late", "lost", "second", "late"),
    ],
)
def test_the_truth_is_told_in_whatever_order_it_comes(database_url: str, order: tuple[str, ...]) -> None:
    async def story() -> None:
        async with make_pool(database_url, PoolOptions(1, 2, 30, 5, 10)) as pool:
            database, store = Database(pool, lambda _: None), AttemptStore(NO_RECEIVERS)
            for what in order:
                await tell(store, database, what)

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO events (id, type, data) VALUES ('evt_1', 'a.b', '1')")
        connection.execute(
            "INSERT INTO webhook_deliveries (id, event_id, webhook_id) VALUES ('dlv_1', 'evt_1', 'wh_1')"
        )
        asyncio.run(story())
        log: list[tuple[Any, ...]] = connection.execute(
            "SELECT delivery_id, number, outcome, duration_seconds, detail, response_status FROM webhook_attempts "
            "ORDER BY number"
        ).fetchall()
        stands = connection.execute("SELECT status, attempts FROM webhook_deliveries").fetchall()
    assert log == [("dlv_1", 1, "delivered", 2.5, None, 204), ("dlv_1", 2, "failed", 0.5, None, 500)]
    assert stands == [("failed", 2)]
