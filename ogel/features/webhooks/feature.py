"""The manifest of webhooks."""

from __future__ import annotations

from ogel.features.webhooks.fanout import FanOut
from ogel.features.webhooks.jobs import DELIVER, Deliver
from ogel.features.webhooks.routes import WebhookRoutes
from ogel.features.webhooks.service import WebhookService
from ogel.runtime.feature import Feature
from ogel.runtime.jobs.kind import JobKind


def deliver_kind(deliver: Deliver, attempts: int) -> JobKind:
    return JobKind(
        DELIVER,
        queue="webhooks",
        perform=deliver.perform,
        load=deliver.load,
        record=deliver.record,
        discarded=deliver.discarded,
        revived=deliver.revived,
        max_attempts=attempts,
        timeout_seconds=None,  # the request has its own deadline
    )


def webhooks_feature(service: WebhookService, fan_out: FanOut, kind: JobKind) -> Feature:
    return Feature(
        name="webhooks",
        routes=WebhookRoutes(service).routes(),
        jobs=[kind],
        subscribers=[fan_out.to_matching],
    )
