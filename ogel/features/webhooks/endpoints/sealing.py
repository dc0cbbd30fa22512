"""Seals the headers that the previous version stored unencrypted."""

from __future__ import annotations

from typing import Any

import structlog

from ogel.features.webhooks.endpoints.headers import hints, seal_headers
from ogel.features.webhooks.endpoints.store import EndpointStore
from ogel.runtime.database.database import Database
from ogel.runtime.jobs.job import Job
from ogel.runtime.secrets.vault import Vault

log = structlog.get_logger(__name__)

SEAL_HEADERS = "webhooks.seal_headers"
BATCH = 100


class SealHeaders:
    """The job kind `webhooks.seal_headers`, which migration 0009 enqueues once."""

    def __init__(self, database: Database, store: EndpointStore, vault: Vault) -> None:
        self._database = database
        self._store = store
        self._vault = vault

    async def perform(self, job: Job, _: Any) -> None:
        total, sealed = 0, BATCH
        while sealed == BATCH:
            async with self._database.transaction() as tx:
                plain = await self._store.plain_headers(tx, BATCH)
                for id, headers in plain:
                    await self._store.replace_headers(
                        tx, id, seal_headers(self._vault, id, headers), hints(headers)
                    )
            sealed = len(plain)
            total += sealed
        log.info("webhook.headers_sealed", endpoints=total, job=job.id)
