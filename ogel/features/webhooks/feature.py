"""The manifest of webhooks, and how its parts fit together."""

from __future__ import annotations

from collections.abc import Sequence

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
from ogel.features.webhooks.health.metrics import BREAKERS, HealthMetrics
from ogel.features.webhooks.health.rules import Patience
from ogel.features.webhooks.health.store import EndpointHealthStore
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
from ogel.features.webhooks.sending.store import AttemptStore
from ogel.features.webhooks.settings import WebhooksSettings
from ogel.runtime.alerts import AlertRule
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature
from ogel.runtime.http.route import Route
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.secrets.sealed import SealedColumn

SEALED = [
    SealedColumn("webhook_secrets", "id", "sealed", owner="webhook_id", purpose=secret_purpose),
    SealedColumn("webhook_endpoints", "id", "sealed_headers", owner="id", purpose=headers_purpose),
]


class WebhookFeature:
    """Builds the services when they are first used."""

    def __init__(self, core: Core, settings: WebhooksSettings) -> None:
        endpoints, deliveries, secrets = EndpointStore(), DeliveryStore(), SecretStore()
        replays, listeners, health = ReplayStore(), ListenerStore(), EndpointHealthStore()
        database, vault, audit = core.database, core.vault, core.audit
        self.fan_out = FanOut(FanOutStore())
        self._retries = RetryPolicy(settings.retry_delays)
        patience = Patience(settings.probe_seconds, settings.disable_after_seconds)
        self._deliver = Deliver(
            AttemptStore(Receivers(SigningKeys(secrets, vault), core.egress, vault)),
            deliveries,
            core.egress,
            Hand(database, listeners),
            self._retries,
            HealthWatch(health, core.keys, core.jobs, core.outbox, patience),
            WebhookMetrics(core.registry),
            core.jobs,
        )
        self._drain = Drain(database, core.keys)
        self.health_metrics = HealthMetrics(database, health, core.registry)
        self._seal_headers = SealHeaders(database, endpoints, vault)
        self.secrets = SecretService(database, secrets, vault, audit)
        self.endpoints = EndpointService(
            database,
            endpoints,
            core.keys,
            health,
            self.secrets,
            replays,
            listeners,
            core.jobs,
            core.url_guard,
            vault,
            audit,
            settings.timeout_seconds,
        )
        self._forget_test = ForgetTest(database, endpoints, self.endpoints)
        self._forget_listener = ForgetListener(database, endpoints, listeners, self.endpoints)
        self.listeners = ListenerService(database, listeners)
        self.tests = TestService(
            database, endpoints, self.endpoints, self.secrets, self.fan_out, core.outbox, audit
        )
        self.deliveries = DeliveryService(database, deliveries, core.jobs, core.keys, audit)
        self.replays = ReplayService(database, replays, core.jobs, audit)
        self._replay_step = ReplayStep(database, replays, core.jobs)

    def kinds(self) -> list[JobKind]:
        return [
            self._deliver_kind(),
            self._drain.kind(),
            JobKind(SEAL_HEADERS, "cleanup", self._seal_headers.perform),
            self._replay_step.kind(),
            self._forget_test.kind(),
            self._forget_listener.kind(),
        ]

    def routes(self) -> Sequence[Route]:
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
            max_attempts=self._retries.attempts,
            timeout_seconds=None,  # the request has its own deadline
        )


def build(core: Core, settings: WebhooksSettings) -> Feature:
    webhooks = WebhookFeature(core, settings)
    return Feature(
        name="webhooks",
        routes=webhooks.routes,
        scopes={
            "webhooks:read": "look at endpoints and deliveries",
            "webhooks:write": "change, test and replay them",
        },
        jobs=webhooks.kinds(),
        subscribers={QUEUE: webhooks.fan_out.to_matching},
        events={
            FAILING: "an endpoint has only failed for a part of the time until it is disabled",
            DISABLED: "an endpoint was disabled: it only failed, or answered 410",
            RECOVERED: "an endpoint takes deliveries again",
            TEST_EVENT: "somebody asked for a test",
        },
        purges=[purge_of_deliveries(core.retention_days), purge_of_replays(core.retention_days)],
        tables=[
            "webhook_attempts",
            "webhook_deliveries",
            "webhook_endpoints",
            "webhook_handovers",
            "webhook_health",
            "webhook_presence",
            "webhook_replays",
            "webhook_secrets",
        ],
        sealed=SEALED,
        left_out={
            "webhook_handovers": "requests under way are made again",
            "webhook_health": "how receivers were doing then says nothing about now",
            "webhook_presence": "who listened then does not listen now",
        },
        gauges=[webhooks.health_metrics.measure],
        samples=[webhooks.health_metrics.samples],
        alerts=[
            AlertRule(
                "webhooks.breakers",
                "warning",
                settings.alert_open_breakers,
                BREAKERS,
                "endpoint-failing.md",
                {"state": "open"},
            )
        ],
        settings=settings,
        offers=webhooks,
    )
