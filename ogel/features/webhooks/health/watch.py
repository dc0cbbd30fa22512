"""Evaluates attempts: opens and closes the breaker, and slows down, warns about and disables endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import structlog
from msgspec import Struct

from ogel.features.webhooks.deliveries.job import QUEUE
from ogel.features.webhooks.endpoints.url import without_query
from ogel.features.webhooks.health.health import DisabledReason
from ogel.features.webhooks.health.jobs import drain_job
from ogel.features.webhooks.health.rules import (
    Ailing,
    Patience,
    due_warning,
    opens,
    percent_to_disabling,
    probe_seconds,
)
from ogel.features.webhooks.health.store import EndpointHealthStore, Failures
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id
from ogel.runtime.database.database import Transaction
from ogel.runtime.jobs.keys import JobKeys
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox

log = structlog.get_logger(__name__)

FAILING, DISABLED, RECOVERED = (
    "webhook.endpoint.failing",
    "webhook.endpoint.disabled",
    "webhook.endpoint.recovered",
)


class Sign(Struct, frozen=True):
    """
    What one attempt says about its endpoint.

    life          up: it answered 2xx; alive: it refused, but was there; down: no answer, or 5xx or 429.
    was_ailing    it had a row in webhook_health when the attempt began.
    slow_seconds  how long to leave it alone, because it asked for it or seems to need it.
    gone          it answered 410: it wants no more events.
    """

    webhook_id: str
    life: Literal["up", "alive", "down"]
    was_ailing: bool
    error: str = ""
    slow_seconds: float = 0.0
    gone: bool = False


def is_no_news(sign: Sign) -> bool:
    """The endpoint is and was well, so there is nothing to record."""
    return sign.life == "up" and not sign.was_ailing


class HealthWatch:
    def __init__(
        self, store: EndpointHealthStore, keys: JobKeys, jobs: JobQueue, outbox: Outbox, patience: Patience
    ) -> None:
        self._store = store
        self._keys = keys
        self._jobs = jobs
        self._outbox = outbox
        self._patience = patience

    async def learn(self, tx: Transaction, signs: Sequence[Sign]) -> None:
        """In the order in which the attempts ended. Runs no statement while every endpoint is and was well."""
        failures = failures_of(signs)
        recovered = {sign.webhook_id for sign in signs if sign.life == "up" and sign.was_ailing}
        if not failures and not recovered:
            return
        concerned = sorted(recovered | {each.webhook_id for each in failures})
        await self._store.lock_endpoints(tx, concerned)
        for well in await self._store.well(tx, sorted(recovered)) if recovered else ():
            if well.was_open:
                await self._close(tx, well.webhook_id)
                since = well.failing_since
                await self._tell(tx, RECOVERED, {"webhook": well.webhook_id, "failing_since": since})
        if failures:
            for ailing in await self._store.failed(tx, failures):
                await self._decide(tx, ailing, signs)

    async def _decide(self, tx: Transaction, ailing: Ailing, signs: Sequence[Sign]) -> None:
        id, now = ailing.webhook_id, utc_now()
        mine = [sign for sign in signs if sign.webhook_id == id]
        if any(sign.gone for sign in mine):
            await self._disable(tx, ailing, "gone")
            return
        slow_seconds = max(sign.slow_seconds for sign in mine)
        if slow_seconds:
            await self._keys.slow(tx, id, slow_seconds)
        if opens(ailing):
            log.warning(
                "breaker.opened", webhook=id, failures=ailing.failures_in_row, error=ailing.last_error
            )
            await self._store.open(tx, id)
        if opens(ailing) or (ailing.opened_at is not None and ailing.failures_in_row > 0):
            await self._keys.trip(tx, id, probe_seconds(ailing, self._patience, now))
        elif ailing.opened_at is not None:
            await self._store.close(tx, id)
            await self._close(tx, id)
        await self._judge(tx, ailing, percent_to_disabling(ailing, self._patience, now))

    async def _judge(self, tx: Transaction, ailing: Ailing, percent: float) -> None:
        if percent >= 100:
            await self._disable(tx, ailing, "failing")
            return
        warning = due_warning(ailing, percent)
        if warning is not None:
            await self._store.warned(tx, ailing.webhook_id, warning)
            url = await self._store.url_of(tx, ailing.webhook_id)
            await self._tell(tx, FAILING, {**_facts(ailing, url), "percent": warning})

    async def _close(self, tx: Transaction, id: str) -> None:
        """Deliveries that wait for their next attempt are sent now, as fast as the rising rate allows."""
        log.info("breaker.closed", webhook=id)
        await self._keys.recover(tx, QUEUE, id)
        await self._jobs.enqueue(tx, [drain_job(id)])

    async def _disable(self, tx: Transaction, ailing: Ailing, reason: DisabledReason) -> None:
        url = await self._store.disable(tx, ailing.webhook_id, reason)
        if url is not None:
            log.warning("webhook.disabled", webhook=ailing.webhook_id, reason=reason, error=ailing.last_error)
            await self._keys.hold(tx, ailing.webhook_id)
            await self._tell(tx, DISABLED, {**_facts(ailing, url), "reason": reason})

    async def _tell(self, tx: Transaction, type: str, data: dict[str, Any]) -> None:
        event = Event(new_id("evt"), type, msgspec.json.encode(data), data["webhook"], utc_now())
        await self._outbox.publish(tx, [event])


def _facts(ailing: Ailing, url: str) -> dict[str, Any]:
    return {
        "webhook": ailing.webhook_id,
        "url": without_query(url),
        "failing_since": ailing.failing_since,
        "last_error": ailing.last_error,
    }


def failures_of(signs: Sequence[Sign]) -> Sequence[Failures]:
    by_id: dict[str, Failures] = {}
    for sign in signs:
        known = by_id.get(sign.webhook_id, Failures(sign.webhook_id, 0, 0, False, ""))
        if sign.life == "up":
            # A success after failures undoes them; only those after it count.
            by_id.pop(sign.webhook_id, None)
            continue
        alive = sign.life == "alive"
        by_id[sign.webhook_id] = Failures(
            sign.webhook_id,
            known.failures + 1,
            0 if alive else known.in_row + 1,
            known.alive or alive,
            sign.error,
        )
    return [by_id[id] for id in sorted(by_id)]
