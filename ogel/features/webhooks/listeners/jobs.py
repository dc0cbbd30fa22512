"""Deletes listeners that stopped polling, as the endpoints of tests are deleted."""

from __future__ import annotations

from typing import Any

from ogel.features.webhooks.deliveries.job import QUEUE
from ogel.features.webhooks.endpoints.service import EndpointService
from ogel.features.webhooks.endpoints.store import EndpointStore
from ogel.features.webhooks.listeners.forgetting import FORGET
from ogel.features.webhooks.listeners.handover import FORGET_SECONDS
from ogel.features.webhooks.listeners.store import ListenerStore
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import DONE, Job, Outcome
from ogel.runtime.jobs.kind import JobKind


class ForgetListener:
    """
    The job kind `webhooks.forget_listener`; its payload is `{"webhook": "wh_…"}`. It is postponed while the listener
    polls.
    """

    def __init__(
        self,
        database: Database,
        endpoints: EndpointStore,
        listeners: ListenerStore,
        service: EndpointService,
    ) -> None:
        self._database = database
        self._endpoints = endpoints
        self._listeners = listeners
        self._service = service

    def kind(self) -> JobKind:
        return JobKind(FORGET, QUEUE, self.perform)

    async def perform(self, job: Job, _: Any) -> Outcome:
        id = job.payload["webhook"]
        async with self._database.transaction() as tx:
            await self._listeners.sweep(tx)
            endpoint = await self._endpoints.lock(tx, id)
            away = await self._listeners.away_seconds(tx, id)
            if endpoint is None:
                return DONE
            # After a backup was restored, no listener polls.
            if away is not None and away < FORGET_SECONDS:
                return Outcome("postpone", "its listener is there", after_seconds=FORGET_SECONDS - away + 1)
            await self._service.remove(tx, Caller(SYSTEM, job.id), endpoint)
        return DONE
