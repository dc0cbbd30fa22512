"""Delivering: one signed request per attempt, its outcome written with the job's."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from ogel.features.webhooks.deliveries.store import DeliveryStore
from ogel.features.webhooks.secrets.signature import secret_purpose, sign
from ogel.features.webhooks.sending.metrics import WebhookMetrics
from ogel.features.webhooks.sending.store import SendingStore
from ogel.features.webhooks.sending.work import AttemptResult, Settled, Work
from ogel.kernel.clock import utc_now
from ogel.kernel.ids import new_id
from ogel.runtime.database import Session
from ogel.runtime.egress import Egress, EgressError, Exchange
from ogel.runtime.jobs.job import Finished, Job, Outcome
from ogel.runtime.vault import Unsealable, Vault

log = structlog.get_logger(__name__)

USER_AGENT = "Ogel-Webhook/1.0"
MAX_RESPONSE_BYTES = 16 * 1024
# Each delay is varied by this much either way, so that endpoints that failed together do not return together.
JITTER = 0.2
# A paused endpoint's claimed delivery looks again after this; those that wait unclaimed are held instead.
PAUSED_SECONDS = 5.0
_UNSTORABLE = re.compile("\x00")


class Deliver:
    """The job kind `webhooks.deliver`; its payload is `{"delivery": "dlv_…"}`."""

    def __init__(
        self,
        store: SendingStore,
        deliveries: DeliveryStore,
        egress: Egress,
        vault: Vault,
        retry_delays: Sequence[float],
        metrics: WebhookMetrics,
    ) -> None:
        self._store = store
        self._deliveries = deliveries
        self._egress = egress
        self._vault = vault
        self._retry_delays = retry_delays
        self._metrics = metrics

    async def load(self, tx: Session, jobs: Sequence[Job]) -> Mapping[str, Work]:
        found = await self._store.load_work(tx, [job.payload["delivery"] for job in jobs])
        return {job.id: found[job.payload["delivery"]] for job in jobs if job.payload["delivery"] in found}

    async def perform(self, job: Job, work: Work) -> Outcome:
        if work.state == "paused":
            return Outcome("postpone", "endpoint is paused", after_seconds=PAUSED_SECONDS)
        try:
            key = self._vault.unseal(work.sealed_secret, secret_purpose(work.webhook_id))
        except Unsealable as error:
            # Ours to repair (a changed OGEL_SECRET), so it costs the receiver no attempt.
            log.error("webhook.secret_unreadable", webhook=work.webhook_id, error=str(error))
            return Outcome("postpone", f"signing secret: {error}", after_seconds=60.0)
        started_at = utc_now()
        body = webhook_body(work)
        signature = sign(key, work.event.id, int(started_at.timestamp()), body)
        headers = [
            *work.headers.items(),
            ("content-type", "application/json"),
            ("user-agent", USER_AGENT),
            ("webhook-id", work.event.id),
            ("webhook-timestamp", str(int(started_at.timestamp()))),
            ("webhook-signature", signature),
        ]
        try:
            exchange = await self._egress.post(
                work.url,
                headers=headers,
                body=body,
                timeout_seconds=work.timeout_seconds,
                pool_key=work.webhook_id,
                max_body_bytes=MAX_RESPONSE_BYTES,
            )
        except EgressError as error:
            result = _no_answer(work, started_at, error)
        else:
            result = _answer(work, started_at, exchange)
        self._metrics.attempted(result)
        if result.outcome == "delivered":
            return Outcome("done", value=result)
        error_text = f"{result.reason}: {result.detail}"
        if result.reason == "refused_address":
            return Outcome("dead", error_text, value=result)
        return Outcome("retry", error_text, after_seconds=self._delay(job.attempts), value=result)

    async def record(self, tx: Session, finished: Sequence[Finished]) -> None:
        attempts, settled = [], []
        for each in finished:
            result: AttemptResult | None = each.outcome.value
            if result is not None:
                attempts.append(result)
            settled.append(_settled(each, result))
        await self._store.record(tx, attempts, [row for row in settled if row is not None])

    async def discarded(self, tx: Session, payload: Mapping[str, Any]) -> None:
        await self._deliveries.cancel(tx, payload["delivery"])

    async def revived(self, tx: Session, payload: Mapping[str, Any]) -> None:
        await self._deliveries.reopen(tx, payload["delivery"])

    def _delay(self, attempt: int) -> float:
        delay = self._retry_delays[min(attempt, len(self._retry_delays)) - 1]
        return delay * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, guards nothing


def webhook_body(work: Work) -> bytes:
    """The Standard Webhooks payload; the same bytes at every attempt, the publisher's data unchanged in it."""
    event = work.event
    return b'{"type":"%s","timestamp":"%s","data":%s}' % (
        event.type.encode(),
        event.timestamp.encode(),
        event.data,
    )


def _answer(work: Work, started_at: Any, exchange: Exchange) -> AttemptResult:
    delivered = 200 <= exchange.status < 300
    reason = None if delivered else "redirect" if 300 <= exchange.status < 400 else "status"
    return AttemptResult(
        id=new_id("att"),
        delivery_id=work.delivery_id,
        number=work.attempts_before + 1,
        outcome="delivered" if delivered else "failed",
        reason=reason,
        detail=None if delivered else f"the receiver answered {exchange.status}",
        response_status=exchange.status,
        # Text for people to read: bytes that are no UTF-8, and NUL, which Postgres cannot keep, become U+FFFD.
        response_body=_UNSTORABLE.sub("\ufffd", exchange.body.decode("utf-8", "replace")),
        response_cut=exchange.truncated,
        peer=exchange.peer,
        started_at=started_at,
        duration_seconds=exchange.timings.total,
    )


def _no_answer(work: Work, started_at: Any, error: EgressError) -> AttemptResult:
    return AttemptResult(
        id=new_id("att"),
        delivery_id=work.delivery_id,
        number=work.attempts_before + 1,
        outcome="failed",
        reason=error.reason,
        detail=error.message,
        response_status=None,
        response_body=None,
        response_cut=False,
        # Which address a refused name led to would map our network for whoever owns the endpoint.
        peer=None if error.reason == "refused_address" else error.peer,
        started_at=started_at,
        duration_seconds=error.timings.total,
    )


def _settled(each: Finished, result: AttemptResult | None) -> Settled | None:
    verdict = each.outcome.verdict
    delivery_id = each.job.payload["delivery"]
    attempts = result.number if result else 0
    if verdict == "done":
        # Without a result there was nothing to do: the delivery was over, or its endpoint gone.
        return Settled(delivery_id, "delivered", attempts, None) if result else None
    if verdict == "dead":
        return Settled(delivery_id, "failed", attempts, None)
    return Settled(delivery_id, "pending", attempts, each.next_attempt_at)
