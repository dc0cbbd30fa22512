"""The job that sends a delivery: one signed request per attempt, recorded together with the job's outcome."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from ogel.features.webhooks.deliveries.store import DeliveryStore
from ogel.features.webhooks.endpoints.one_off import forget_job
from ogel.features.webhooks.health.watch import HealthWatch, Sign, is_no_news
from ogel.features.webhooks.listeners.hand import Hand
from ogel.features.webhooks.sending.due import (
    AttemptResult,
    DeliveryState,
    DueDelivery,
    LoggedAttempt,
    LostAttempt,
)
from ogel.features.webhooks.sending.metrics import WebhookMetrics
from ogel.features.webhooks.sending.payload import webhook_body
from ogel.features.webhooks.sending.receiver import Receiver
from ogel.features.webhooks.sending.store import AttemptStore
from ogel.features.webhooks.sending.verdict import AttemptVerdict, judge_answer, judge_error
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Transaction
from ogel.runtime.database.pieces import Piece
from ogel.runtime.egress import Egress, EgressError, Exchange
from ogel.runtime.jobs.job import FIRST_ATTEMPT, Finished, Job, Outcome
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.secrets.scrub import MASK

MAX_RESPONSE_BYTES = 16 * 1024
# The delay after a failure that is our own fault.
OURS_SECONDS = 5.0
UNREADABLE_SECONDS = 60.0
_UNSTORABLE = re.compile("\x00")


class Deliver:
    """The job kind `webhooks.deliver`; its payload is `{"delivery": "dlv_…"}`."""

    def __init__(
        self,
        store: AttemptStore,
        deliveries: DeliveryStore,
        egress: Egress,
        hand: Hand,
        retries: RetryPolicy,
        health: HealthWatch,
        metrics: WebhookMetrics,
        jobs: JobQueue,
    ) -> None:
        self._store = store
        self._deliveries = deliveries
        self._egress = egress
        self._hand = hand
        self._retries = retries
        self._health = health
        self._metrics = metrics
        self._jobs = jobs

    async def load(self, tx: Transaction, jobs: Sequence[Job]) -> Mapping[str, DueDelivery]:
        found = await self._store.load_work(tx, [job.payload["delivery"] for job in jobs])
        return {job.id: found[job.payload["delivery"]] for job in jobs if job.payload["delivery"] in found}

    async def perform(self, job: Job, work: DueDelivery) -> Outcome:
        receiver = work.receiver
        if receiver is None:
            # Ours to repair (a changed OGEL_SECRET), so it costs the receiver no attempt.
            reason = "its endpoint's signing secret or headers cannot be read: see `ogel secrets status`"
            return Outcome("postpone", reason, after_seconds=UNREADABLE_SECONDS)
        started_at = utc_now()
        body = webhook_body(work.event, receiver.payload)
        signed = receiver.signed(work.event, body, started_at.timestamp())
        answer: Exchange | EgressError
        try:
            if receiver.kind == "listener":
                answer = await self._hand.pass_on(receiver, work.event, work.delivery_id, signed, body)
            else:
                answer = await self._egress.post(
                    receiver.url,
                    headers=signed,
                    body=body,
                    timeout_seconds=receiver.timeout_seconds,
                    pool_key=receiver.webhook_id,
                    max_body_bytes=MAX_RESPONSE_BYTES,
                    encoded=receiver.headers,
                )
            verdict = judge_answer(answer, started_at)
        except EgressError as error:
            # Its traceback holds this frame, which holds it: with the body they would wait for the collector.
            answer, verdict = error.with_traceback(None), judge_error(error)
        lag = started_at - _due_at(job, work)
        self._metrics.attempted(verdict, answer.timings.total, job.priority, lag.total_seconds())
        if verdict.ours:
            return Outcome("postpone", f"{verdict.reason}: {verdict.detail}", after_seconds=OURS_SECONDS)
        row = _row(work, receiver, job, started_at, answer, verdict, receiver.log_of(signed))
        return self._outcome(
            job, work, verdict, AttemptResult(row, _sign(receiver, work, verdict), work.is_one_off)
        )

    def _outcome(self, job: Job, work: DueDelivery, verdict: AttemptVerdict, sent: AttemptResult) -> Outcome:
        if verdict.life == "up":
            return Outcome("done", value=sent)
        error = f"{verdict.reason}: {verdict.detail}"
        if verdict.final or work.is_one_off:
            return Outcome("dead", error, value=sent)
        age = (utc_now() - work.began_at).total_seconds()
        delay = self._retries.delay_of(job.attempts, age, verdict.retry_after)
        # A probe asks on behalf of all that wait: that it was this delivery must not bring its last attempt nearer.
        way: Literal["postpone", "retry"] = "postpone" if work.breaker_is_open else "retry"
        return Outcome(way, error, after_seconds=delay, value=sent, slow=verdict.slow)

    async def record(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        attempts, settled, signs = [], [], []
        lost = [each.job for each in finished if each.job.lost]
        if lost:
            await self._store.record_lost(tx, [row for job in lost for row in _lost(job)])
        for each in finished:
            sent: AttemptResult | None = each.outcome.value
            if sent is not None:
                attempts.append(sent.row)
                signs.append(sent.sign)
            stands = _settled(each, sent)
            if stands is not None:
                settled.append(stands)
        await self._store.record(tx, attempts, settled)
        await self._health.learn(tx, signs)
        over = [each.job.key for each in finished if _ends_a_test(each)]
        await self._jobs.enqueue(tx, [forget_job(webhook_id) for webhook_id in over])

    def recorded(self, finished: Sequence[Finished]) -> Sequence[Piece] | None:
        """Of deliveries that arrived where there is nothing else to tell."""
        rows = []
        for each in finished:
            sent: AttemptResult | None = each.outcome.value
            if each.job.lost or sent is None or sent.is_one_off or not is_no_news(sent.sign):
                return None
            rows.append(sent.row)
        return self._store.delivered(rows)

    async def late(self, tx: Transaction, finished: Sequence[Finished]) -> None:
        rows = [each.outcome.value.row for each in finished if each.outcome.value is not None]
        if rows:
            await self._store.record_late(tx, rows)

    async def discarded(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        ids = [payload["delivery"] for payload in payloads]
        await self._deliveries.cancel(tx, ids)
        await self._jobs.enqueue(tx, [forget_job(each) for each in await self._store.one_offs(tx, ids)])

    async def revived(self, tx: Transaction, payloads: Sequence[Mapping[str, Any]]) -> None:
        await self._deliveries.reopen(tx, [payload["delivery"] for payload in payloads])


def _due_at(job: Job, work: DueDelivery) -> datetime:
    """A first attempt since its event was published, however often a fault of ours put it off."""
    return work.began_at if job.priority == FIRST_ATTEMPT and not work.attempts_before else job.scheduled_at


def _sign(receiver: Receiver, work: DueDelivery, verdict: AttemptVerdict) -> Sign:
    if verdict.life == "up":
        return Sign(receiver.webhook_id, "up", work.is_ailing)
    return Sign(
        receiver.webhook_id,
        verdict.life,
        work.is_ailing,
        f"{verdict.reason}: {verdict.detail}",
        verdict.slow_seconds,
        verdict.gone,
    )


def _row(
    work: DueDelivery,
    receiver: Receiver,
    job: Job,
    started_at: datetime,
    answer: Exchange | EgressError,
    verdict: AttemptVerdict,
    shown: Any,
) -> LoggedAttempt:
    exchange = answer if isinstance(answer, Exchange) else None
    timings = answer.timings
    return LoggedAttempt(
        delivery_id=work.delivery_id,
        number=work.attempts_before + len(job.lost or ()) + 1,
        outcome="delivered" if verdict.life == "up" else "failed",
        started_at=started_at,
        duration_seconds=timings.total,
        reason=verdict.reason,
        detail=verdict.detail,
        request_headers=shown,
        response_status=exchange.status if exchange else None,
        response_headers=_shown_headers(receiver, exchange) if exchange else None,
        response_body=_shown_body(receiver, exchange) if exchange else None,
        response_cut=exchange.truncated if exchange else False,
        # Which address a refused name led to would map our network for whoever owns the endpoint.
        peer=None if verdict.reason == "refused_address" else answer.peer,
        dns_seconds=timings.dns,
        connect_seconds=timings.connect,
        tls_seconds=timings.tls,
        first_byte_seconds=timings.first_byte,
    )


def _shown_headers(receiver: Receiver, exchange: Exchange) -> list[tuple[str, str]]:
    """Masks cookies, which are secrets of the receiver, and removes the owner's secrets from other values."""
    return [
        (name, MASK if name.lower() == "set-cookie" else receiver.scrub(value))
        for name, value in exchange.headers
    ]


def _shown_body(receiver: Receiver, exchange: Exchange) -> str:
    """Text for people to read: bytes that are no UTF-8, and NUL, which Postgres cannot keep, become U+FFFD."""
    text = receiver.scrub(exchange.body.decode("utf-8", "replace"), cut=exchange.truncated)
    return _UNSTORABLE.sub("\ufffd", text)


def _lost(job: Job) -> Sequence[LostAttempt]:
    """The attempts before this one of which nothing is known but that their claims were written ahead of them."""
    return [LostAttempt(job.payload["delivery"], at) for at in job.lost or ()]


def _ends_a_test(each: Finished) -> bool:
    sent: AttemptResult | None = each.outcome.value
    return sent is not None and sent.is_one_off and each.outcome.verdict in ("done", "dead")


def _settled(each: Finished, sent: AttemptResult | None) -> DeliveryState | None:
    verdict = each.outcome.verdict
    delivery_id = each.job.payload["delivery"]
    attempts = sent.row.number if sent else 0
    if verdict == "done":
        # Without a result there was nothing to do: the delivery was over, or its endpoint gone.
        return DeliveryState(delivery_id, "delivered", attempts, None) if sent else None
    if verdict == "dead":
        return DeliveryState(delivery_id, "failed", attempts, None)
    return DeliveryState(delivery_id, "pending", attempts, each.next_attempt_at)
