"""Endpoints made for testing a URL: they get no events, and are deleted after their last delivery."""

from __future__ import annotations

from typing import Any

from ogel.features.webhooks.deliveries.job import QUEUE
from ogel.features.webhooks.endpoints.service import EndpointService
from ogel.features.webhooks.endpoints.store import EndpointStore
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import DONE, Job, NewJob, Outcome
from ogel.runtime.jobs.kind import JobKind

FORGET = "webhooks.forget_test"


def forget_job(webhook_id: str) -> NewJob:
    """
    A separate job because of the lock order: endpoints are locked before jobs, and recording attempts holds jobs.
    """
    return NewJob(FORGET, {"webhook": webhook_id}, dedupe_key=f"{FORGET}:{webhook_id}")


class ForgetTest:
    """The job kind `webhooks.forget_test`; its payload is `{"webhook": "wh_…"}`. Its attempts stay in the log."""

    def __init__(self, database: Database, store: EndpointStore, endpoints: EndpointService) -> None:
        self._database = database
        self._store = store
        self._endpoints = endpoints

    def kind(self) -> JobKind:
        return JobKind(FORGET, QUEUE, self.perform)

    async def perform(self, job: Job, _: Any) -> Outcome:
        id = job.payload["webhook"]
        async with self._database.transaction() as tx:
            endpoint = await self._store.lock(tx, id)
            # Meanwhile it may have been tested again, or changed into a normal endpoint.
            if endpoint is not None and await self._store.is_over(tx, id):
                await self._endpoints.remove(tx, Caller(SYSTEM, job.id), endpoint)
        return DONE
