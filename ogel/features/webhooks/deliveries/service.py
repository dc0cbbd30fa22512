"""The rules of deliveries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ogel.features.webhooks.deliveries.delivery import Delivery, DeliveryWithAttempts, Outcome
from ogel.features.webhooks.deliveries.job import QUEUE, delivery_job, order_key
from ogel.features.webhooks.deliveries.store import DeliveryStore
from ogel.features.webhooks.deliveries.tail import FoundAttempts, Recorded, TailCursor
from ogel.kernel.errors import Conflict, Invalid, NotFound
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.keys import JobKeys
from ogel.runtime.jobs.store import JobQueue


class DeliveryService:
    def __init__(
        self,
        database: Database,
        store: DeliveryStore,
        jobs: JobQueue,
        keys: JobKeys,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._store = store
        self._jobs = jobs
        self._keys = keys
        self._audit = audit
        self._recorded = Recorded(database)

    async def list(self, filters: Mapping[str, Any]) -> Sequence[Delivery]:
        """Raises Invalid for an unknown webhook or event that has no deliveries either."""
        async with self._database.autocommit() as tx:
            found = await self._store.list(tx, filters)
            if not found and filters["after"] is None:
                for name in await self._store.unknown(tx, filters):
                    raise Invalid.field(f"query.{name}", f"there is no {name} {filters[name]!r}")
        return found

    async def get(self, id: str) -> DeliveryWithAttempts:
        async with self._database.autocommit() as tx:
            delivery = _found(await self._store.get(tx, id), id)
            attempts = await self._store.attempts(tx, id)
        return DeliveryWithAttempts(**msgspec.structs.asdict(delivery), log=list(attempts))

    async def waiting(self, webhook_id: str, most: int) -> int:
        """Counts the deliveries of an endpoint that wait or are under way, up to `most`. Raises NotFound."""
        async with self._database.autocommit() as tx:
            waiting = await self._jobs.count_unfinished(tx, QUEUE, webhook_id, most)
            if not waiting and await self._store.unknown(tx, {"webhook": webhook_id, "event": None}):
                raise NotFound(f"No webhook {webhook_id!r}.")
        return waiting

    async def recorded(
        self, start: TailCursor, webhook: str | None, outcomes: Sequence[Outcome] | None, limit: int
    ) -> FoundAttempts:
        """
        Returns attempts recorded from there on. Raises Invalid for an unknown webhook that has no deliveries either.
        """
        found = await self._recorded.page(start, webhook, outcomes, limit)
        if webhook is not None and not found.attempts:
            async with self._database.autocommit() as tx:
                if await self._store.unknown(tx, {"webhook": webhook, "event": None}):
                    raise Invalid.field("query.webhook", f"there is no webhook {webhook!r}")
        return found

    async def retry(self, caller: Caller, id: str) -> Delivery:
        """
        Makes the delivery due now, whatever its state, with all its attempts again. It is not started twice while an
        attempt is under way, and waits while its webhook is paused.
        """
        async with self._database.transaction() as tx:
            delivery = _found(await self._store.get(tx, id), id)
            listener = await self._store.listener(tx, id)
            if listener is None:
                raise Conflict(f"The webhook of delivery {id!r} was deleted.")
            job = delivery_job(id, delivery.webhook, order_key=order_key(*listener))
            await self._jobs.again(tx, job, f"delivery {id!r}")
            await self._keys.wake(tx, QUEUE, delivery.webhook)
            await self._audit.record(tx, caller, "delivery.retry", "delivery", id)
            return _found(await self._store.get(tx, id), id)


def _found(delivery: Delivery | None, id: str) -> Delivery:
    if delivery is None:
        raise NotFound(f"No delivery {id!r}.")
    return delivery
