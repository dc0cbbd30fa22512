"""The manifest of webhooks, and how its parts fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from ogel.features.webhooks.deliveries.job import DELIVER, QUEUE
from ogel.features.webhooks.deliveries.purge import DELIVERIES, purge_of_deliveries
from ogel.features.webhooks.deliveries.service import DeliveryService
from ogel.features.webhooks.deliveries.store import DeliveryStore
from ogel.features.webhooks.endpoints.headers import headers_purpose
from ogel.features.webhooks.endpoints.one_off import ForgetTest
from ogel.features.webhooks.endpoints.sealing import SEAL_HEADERS, SealHeaders
from ogel.features.webhooks.endpoints.service import EndpointService
from ogel.features.webhooks.endpoints.store import EndpointStore
from ogel.features.webhooks.endpoints.testing import TEST_EVENT, TestService
from ogel.features.webhooks.fanout.fanout import FanOut
from ogel.features.webhooks.fanout.store import FanOutStore
from ogel.features.webhooks.health.jobs import Drain
from ogel.features.webhooks.health.metrics import HealthMetrics
from ogel.features.webhooks.health.rules import Patience
from ogel.features.webhooks.health.store import HealthStore
from ogel.features.webhooks.health.watch import DISABLED, FAILING, RECOVERED, HealthWatch
from ogel.features.webhooks.listeners.hand import Hand
from ogel.features.webhooks.listeners.jobs import ForgetListener
from ogel.features.webhooks.listeners.service import ListenerService
from ogel.features.webhooks.listeners.store import ListenerStore
from ogel.features.webhooks.replays.jobs import ReplayStep
from ogel.features.webhooks.replays.purge import purge_of_replays
from ogel.features.webhooks.replays.service import ReplayService
from ogel.features.webhooks.replays.store import ReplayStore
from ogel.features.webhooks.secrets.keyring import SigningKeys
from ogel.features.webhooks.secrets.secret import secret_purpose
from ogel.features.webhooks.secrets.service import SecretService
from ogel.features.webhooks.secrets.store import SecretStore
from ogel.features.webhooks.sending.jobs import Deliver
from ogel.features.webhooks.sending.metrics import WebhookMetrics
from ogel.features.webhooks.sending.receiver import Receivers
from ogel.features.webhooks.sending.retry import RetrySchedule
from ogel.features.webhooks.sending.store import SendingStore
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database
from ogel.runtime.egress import Egress, UrlGuard
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.keys import JobKeys
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.outbox import Outbox
from ogel.runtime.secrets.sealed import SealedColumn
from ogel.runtime.secrets.vault import Vault


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """
    timeout_seconds  of one attempt, unless the endpoint says otherwise.
    retry_delays     seconds before the second attempt, the third, …; after the last one a delivery has failed.
    retention_days   how long deliveries and replays that are over are remembered.
    patience         with endpoints that fail.
    """

    timeout_seconds: float
    retry_delays: Sequence[float]
    retention_days: float
    patience: Patience


SEALED = [
    SealedColumn("webhook_secrets", "id", "sealed", owner="webhook_id", purpose=secret_purpose),
    SealedColumn("webhook_endpoints", "id", "sealed_headers", owner="id", purpose=headers_purpose),
]


class WebhookFeature:
    """Builds the services; touches nothing before one of them is called."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        keys: JobKeys,
        outbox: Outbox,
        audit: AuditTrail,
        guard: UrlGuard,
        egress: Egress,
        vault: Vault,
        options: WebhookOptions,
        registry: CollectorRegistry,
    ) -> None:
        endpoints, deliveries, secrets = EndpointStore(), DeliveryStore(), SecretStore()
        replays, listeners = ReplayStore(), ListenerStore()
        self._fan_out = FanOut(FanOutStore())
        self._schedule = RetrySchedule(options.retry_delays)
        health = HealthStore()
        self._deliver = Deliver(
            SendingStore(Receivers(SigningKeys(secrets, vault), egress, vault)),
            deliveries,
            egress,
            Hand(database, listeners),
            self._schedule,
            HealthWatch(health, keys, jobs, outbox, options.patience),
            WebhookMetrics(registry),
            jobs,
        )
        self._drain = Drain(database, keys)
        self.health_metrics = HealthMetrics(database, health, registry)
        self._seal_headers = SealHeaders(database, endpoints, vault)
        self.secrets = SecretService(database, secrets, vault, audit)
        self.endpoints = EndpointService(
            database,
            endpoints,
            keys,
            health,
            self.secrets,
            replays,
            listeners,
            jobs,
            guard,
            vault,
            audit,
            options.timeout_seconds,
        )
        self._forget_test = ForgetTest(database, endpoints, self.endpoints)
        self._forget_listener = ForgetListener(database, endpoints, listeners, self.endpoints)
        self.listeners = ListenerService(database, listeners)
        self.tests = TestService(
            database, endpoints, self.endpoints, self.secrets, self._fan_out, outbox, audit
        )
        self.deliveries = DeliveryService(database, deliveries, jobs, keys, audit)
        self.replays = ReplayService(database, replays, jobs, audit)
        self._replay_step = ReplayStep(database, replays, jobs)
        self._retention_days = options.retention_days

    def feature(self) -> Feature:
        return Feature(
            name="webhooks",
            routes=self._routes,
            jobs=[
                self._deliver_kind(),
                self._drain.kind(),
                JobKind(SEAL_HEADERS, "cleanup", self._seal_headers.perform),
                self._replay_step.kind(),
                self._forget_test.kind(),
                self._forget_listener.kind(),
            ],
            subscribers=[self._fan_out.to_matching],
            sealed=SEALED,
            events={
                FAILING: "an endpoint has only failed for a part of the time until it is disabled",
                DISABLED: "an endpoint was disabled: it only failed, or answered 410",
                RECOVERED: "an endpoint takes deliveries again",
                TEST_EVENT: "somebody asked for a test",
            },
            left_out={
                "webhook_health": "how receivers were doing then says nothing about now",
                "webhook_listeners": "who listened then does not listen now",
                "webhook_handovers": "requests under way are made again",
            },
            purges=[purge_of_deliveries(self._retention_days), purge_of_replays(self._retention_days)],
        )

    def _routes(self) -> Sequence[Route]:
        from ogel.features.webhooks.deliveries.routes import DeliveryRoutes
        from ogel.features.webhooks.endpoints.routes import EndpointRoutes
        from ogel.features.webhooks.listeners.routes import ListenerRoutes
        from ogel.features.webhooks.replays.routes import ReplayRoutes
        from ogel.features.webhooks.secrets.routes import SecretRoutes

        return [
            *EndpointRoutes(self.endpoints, self.tests).routes(),
            *SecretRoutes(self.secrets).routes(),
            *DeliveryRoutes(self.deliveries).routes(),
            *ReplayRoutes(self.replays).routes(),
            *ListenerRoutes(self.listeners).routes(),
        ]

    def _deliver_kind(self) -> JobKind:
        return JobKind(
            DELIVER,
            queue=QUEUE,
            perform=self._deliver.perform,
            load=self._deliver.load,
            record=self._deliver.record,
            recorded=self._deliver.recorded,
            late=self._deliver.late,
            discarded=self._deliver.discarded,
            revived=self._deliver.revived,
            cancellable=False,
            purged_with=DELIVERIES,
            max_attempts=self._schedule.attempts,
            timeout_seconds=None,  # the request has its own deadline
        )
