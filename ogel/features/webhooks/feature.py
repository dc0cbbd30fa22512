"""The manifest of webhooks, and how its parts fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from ogel.features.audit.contract import AuditTrail
from ogel.features.webhooks.deliveries.job import DELIVER
from ogel.features.webhooks.deliveries.routes import DeliveryRoutes
from ogel.features.webhooks.deliveries.service import DeliveryService
from ogel.features.webhooks.deliveries.store import DeliveryStore
from ogel.features.webhooks.endpoints.routes import EndpointRoutes
from ogel.features.webhooks.endpoints.service import EndpointService
from ogel.features.webhooks.endpoints.store import EndpointStore
from ogel.features.webhooks.endpoints.testing import TestService
from ogel.features.webhooks.fanout.fanout import FanOut
from ogel.features.webhooks.fanout.store import FanOutStore
from ogel.features.webhooks.sending.jobs import Deliver
from ogel.features.webhooks.sending.metrics import WebhookMetrics
from ogel.features.webhooks.sending.store import SendingStore
from ogel.runtime.database import Database
from ogel.runtime.egress import Egress, UrlGuard
from ogel.runtime.feature import Feature
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from ogel.runtime.vault import Vault


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """
    timeout_seconds  of one attempt, unless the endpoint says otherwise.
    retry_delays     seconds before the second attempt, the third, …; after the last one a delivery has failed.
    """

    timeout_seconds: float
    retry_delays: Sequence[float]


class WebhookFeature:
    """Builds the services; touches nothing before one of them is called."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        outbox: Outbox,
        audit: AuditTrail,
        guard: UrlGuard,
        egress: Egress,
        vault: Vault,
        options: WebhookOptions,
        registry: CollectorRegistry,
    ) -> None:
        endpoints, deliveries = EndpointStore(), DeliveryStore()
        self._options = options
        self._fan_out = FanOut(FanOutStore())
        self._deliver = Deliver(
            SendingStore(), deliveries, egress, vault, options.retry_delays, WebhookMetrics(registry)
        )
        self.endpoints = EndpointService(
            database, endpoints, deliveries, jobs, guard, vault, audit, options.timeout_seconds
        )
        self.tests = TestService(database, endpoints, self.endpoints, self._fan_out, outbox, audit)
        self.deliveries = DeliveryService(database, deliveries, endpoints, jobs, audit)

    def feature(self) -> Feature:
        return Feature(
            name="webhooks",
            routes=[
                *EndpointRoutes(self.endpoints, self.tests).routes(),
                *DeliveryRoutes(self.deliveries).routes(),
            ],
            jobs=[self._deliver_kind()],
            subscribers=[self._fan_out.to_matching],
        )

    def _deliver_kind(self) -> JobKind:
        return JobKind(
            DELIVER,
            queue="webhooks",
            perform=self._deliver.perform,
            load=self._deliver.load,
            record=self._deliver.record,
            discarded=self._deliver.discarded,
            revived=self._deliver.revived,
            max_attempts=len(self._options.retry_delays) + 1,
            timeout_seconds=None,  # the request has its own deadline
        )
