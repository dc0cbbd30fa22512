"""The composition root: Settings in, a Platform out; the only file that names every adapter and every feature."""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import redis
import structlog
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from ogel.adapters.databases.drivers import Drivers
from ogel.adapters.egress import AddressGuard, EgressClient, OwnHosts, OwnServices, Proxy, ProxyAddress
from ogel.adapters.mail.outbox import OutboxProvider
from ogel.adapters.mail.resend import ResendProvider
from ogel.adapters.mail.smtp import SmtpProvider, SmtpServer
from ogel.adapters.messaging.access_tokens import ServiceAccount
from ogel.adapters.messaging.fcm import Fcm
from ogel.adapters.messaging.twilio import Twilio
from ogel.adapters.messaging.vapid import Vapid
from ogel.adapters.messaging.vonage import Vonage
from ogel.adapters.messaging.webpush import WebPush
from ogel.adapters.migrations import migrate, read_migrations, wait_for_schema
from ogel.adapters.mongo import Mongo
from ogel.adapters.postgres import PoolOptions, make_pool, wait_for_postgres
from ogel.adapters.redis_info import RedisInfo
from ogel.adapters.redis_pubsub import RedisBroadcast
from ogel.adapters.rq_bell import BellListener, RqBell
from ogel.adapters.rq_clock import RqClock
from ogel.adapters.storage.local import LocalObjects
from ogel.adapters.storage.s3 import Bucket, BucketObjects, check_bucket
from ogel.adapters.temporary import purge_of_temporary_files
from ogel.features.audit.feature import AuditFeature
from ogel.features.audit.store import AuditStore
from ogel.features.backups.create import QUEUE as BACKUPS_QUEUE
from ogel.features.backups.feature import BackupFeature, BackupOptions
from ogel.features.backups.manifest import SchemaStep
from ogel.features.backups.restore import Restore, Schema
from ogel.features.cleanup.feature import CleanupFeature, CleanupOptions
from ogel.features.cleanup.jobs import QUEUE as CLEANUP_QUEUE
from ogel.features.databases.feature import DatabaseFeature, DatabaseOptions
from ogel.features.events.feature import events_feature
from ogel.features.events.publisher import Publisher
from ogel.features.events.service import EventService
from ogel.features.jobs.depths import Depths
from ogel.features.jobs.feature import jobs_feature
from ogel.features.jobs.pressure import Pressure, QueueLimits
from ogel.features.jobs.purge import purges_of_jobs
from ogel.features.jobs.service import JobService
from ogel.features.keys.feature import keys_feature
from ogel.features.keys.service import KeyService
from ogel.features.keys.store import KeyStore
from ogel.features.keys.uses import KeyUses
from ogel.features.mail.feature import MailFeature, MailOptions
from ogel.features.mail.jobs import QUEUE as MAIL_QUEUE
from ogel.features.messaging.feature import MessagingFeature, MessagingOptions
from ogel.features.messaging.sending.senders import MessageProviders
from ogel.features.realtime.feature import RealtimeFeature
from ogel.features.realtime.jobs import QUEUE as REALTIME_QUEUE
from ogel.features.schedules.feature import schedules_feature
from ogel.features.schedules.service import ScheduleOptions, ScheduleService
from ogel.features.stats.alerts.rules import Thresholds
from ogel.features.stats.feature import QUEUE as STATS_QUEUE
from ogel.features.stats.feature import Sources, StatsFeature, StatsOptions
from ogel.features.system.feature import system_feature
from ogel.features.system.service import SystemService
from ogel.features.webhooks.deliveries.job import QUEUE as WEBHOOKS_QUEUE
from ogel.features.webhooks.feature import WebhookFeature, WebhookOptions
from ogel.features.webhooks.health.rules import Patience
from ogel.kernel.errors import ConfigError, Restart
from ogel.runtime.database import Database
from ogel.runtime.egress import Egress
from ogel.runtime.feature import Feature
from ogel.runtime.http.app import build_app
from ogel.runtime.http.endpoint import HttpOptions
from ogel.runtime.http.health import Checkup, Probe
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.server import bind, serve
from ogel.runtime.jobs.bell import Doorman
from ogel.runtime.jobs.keys import DropKey, JobKeys
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.metrics import JobMetrics
from ogel.runtime.jobs.runner import JobRunner, RunnerOptions
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.lifecycle import Service, run_together, run_until_stopped, unless_stopped
from ogel.runtime.mail.address import parse_address
from ogel.runtime.mail.letter import MailProvider
from ogel.runtime.memory import MemoryLimit
from ogel.runtime.messaging import MessageProvider, Sms
from ogel.runtime.objects import ObjectStore
from ogel.runtime.outbox import Outbox
from ogel.runtime.providers import Breaker, Guarded, ProviderMetrics, Providers
from ogel.runtime.schedule.schedule import Schedule
from ogel.runtime.schedule.service import SchedulerService
from ogel.runtime.schedule.ticks import Ticker
from ogel.runtime.sealed import SealedValues
from ogel.runtime.vault import Vault
from ogel.settings import (
    Settings,
    configured_mail_providers,
    require_database,
    require_secret,
    require_secrets,
    require_servers,
)

if TYPE_CHECKING:
    from ogel.adapters.rq_horses.client import RqHorses

log = structlog.get_logger(__name__)

_EVERYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
# In a checkout; an installed image says where they are instead.
MIGRATIONS = Path(__file__).parent.parent / "sql" / "migrations"
# Enough to build a platform that nothing is asked of but its manifests.
_NOWHERE = Settings(
    database_url="postgresql://nowhere/none", redis_url="redis://nowhere", admin_key="0" * 24, secret="0" * 24
)


@dataclass(frozen=True, slots=True)
class Roles:
    """What this process does besides health and metrics."""

    api: bool = False
    queues: Sequence[str] = ()
    scheduler: bool = False
    realtime: bool = False


class Platform:
    """Everything of one process, wired. Building it connects to nothing; `run` does, and serves until stopped."""

    def __init__(self, settings: Settings) -> None:
        require_servers(settings)
        require_secrets(settings)
        assert settings.database_url
        assert settings.redis_url
        assert settings.secret
        self.settings = settings
        self.registry = CollectorRegistry()
        self.bell = RqBell(settings.redis_url)
        self.doorman = Doorman(self.bell)
        self._pool = make_pool(settings.database_url, _pool_options(settings))
        self.database = Database(self._pool, self.doorman.ring)
        # Claims, results and leases do not queue behind requests: a flood of those must not cost a worker its leases.
        self._workers_pool = make_pool(settings.database_url, _workers_pool_options(settings))
        self._workers_database = Database(self._workers_pool, self.doorman.ring)
        self.redis = RedisInfo(settings.redis_url)
        self._mongo = Mongo(settings.mongo_url) if settings.mongo_url else None
        self.broadcast = RedisBroadcast(settings.redis_url)
        own = _own_hosts(settings)
        self._guard = AddressGuard(
            allow=settings.webhook_allow_nets or (), own_names=own.servers | own.fronts
        )
        self._own_services = OwnServices(self._guard, own)
        proxy = Proxy(ProxyAddress.of(settings.egress_proxy)) if settings.egress_proxy else None
        self.egress = EgressClient(self._guard, max_connections=settings.worker_in_flight + 100, proxy=proxy)
        # To addresses that operators set: those may be private.
        self.provider_egress = EgressClient(AddressGuard(allow=_EVERYWHERE), proxy=proxy)
        self.provider_metrics = ProviderMetrics(self.registry)
        self.objects = object_store(settings)
        self._vault = vault = Vault(settings.secret, settings.former_secrets)
        self.jobs = JobQueue()
        self.keys_of_jobs = JobKeys(self.jobs)
        self.outbox = Outbox(self.jobs)
        self.audit = AuditStore()
        self.audit_log = AuditFeature(self.database, self.audit, vault, settings.audit_retention_days)
        self._key_uses = KeyUses(self.database, self.audit)
        self.keys = KeyService(self.database, KeyStore(), self.audit, self._key_uses, settings.admin_key)
        self.pressure = Pressure(
            QueueLimits(settings.queue_soft_limit, settings.queue_hard_limit), self.registry
        )
        publisher = Publisher(
            self.database,
            self.outbox,
            self.audit,
            lambda: self.pressure.admit((WEBHOOKS_QUEUE, REALTIME_QUEUE)),
            self.registry,
        )
        self.events = EventService(self.database, publisher, settings.max_event_bytes)
        self.realtime = RealtimeFeature(self.broadcast, self.keys.authenticate, self.registry)
        self.databases = DatabaseFeature(
            self.database,
            self.jobs,
            self.keys_of_jobs,
            self.outbox,
            self.audit,
            vault,
            Drivers(),
            DatabaseOptions(settings.database_check_minutes, settings.retention_days),
            self.registry,
        )
        self.webhooks = WebhookFeature(
            self.database,
            self.jobs,
            self.keys_of_jobs,
            self.outbox,
            self.audit,
            self._guard,
            self.egress,
            vault,
            WebhookOptions(
                settings.webhook_timeout_seconds,
                settings.webhook_retry_delays,
                settings.retention_days,
                Patience(settings.webhook_probe_seconds, settings.webhook_disable_after_seconds),
            ),
            self.registry,
        )
        self.messaging = MessagingFeature(
            self.database,
            self.jobs,
            self.outbox,
            self.audit,
            self._guard,
            vault,
            _message_providers(settings, self.provider_egress, self.egress),
            self.provider_metrics,
            self.pressure.admit,
            MessagingOptions(settings.message_lifetime_seconds, settings.message_retention_days),
        )
        self.http_metrics = HttpMetrics(self.registry)
        self.mail = MailFeature(
            self.database,
            self.jobs,
            self.outbox,
            self.audit,
            Providers("mail", self._mail_providers(), self.provider_metrics),
            MailOptions(
                parse_address(settings.mail_from) if settings.mail_from else None,
                settings.mail_templates,
                settings.mail_retry_delays,
                settings.mail_timeout_seconds,
                settings.mail_retention_days,
            ),
            lambda: self.pressure.admit((MAIL_QUEUE,)),
        )
        self.features = self._features()
        kinds = [kind for feature in self.features for kind in feature.jobs]
        self.jobs.know(kinds)
        self._horses = _horses(settings, kinds)
        self._memory = MemoryLimit(settings.worker_max_mb) if settings.worker_max_mb else None
        self._check_schedules()
        self.outbox.subscribe([s for feature in self.features for s in feature.subscribers])

    @cached_property
    def queue_names(self) -> list[str]:
        return sorted({kind.queue for feature in self.features for kind in feature.jobs})

    def _check_schedules(self) -> None:
        for schedule in self._schedules:
            if schedule.kind is None or self.jobs.kind(schedule.kind) is None:
                raise ValueError(
                    f"schedule {schedule.name!r} names {schedule.kind!r}, which no feature performs"
                )
            # Names without one are the users'.
            if "." not in schedule.name:
                raise ValueError(f"schedule {schedule.name!r} has no dot in its name")

    def _ticker(self) -> Ticker:
        return Ticker(self.database, self.jobs, self.outbox, self._schedules)

    def _features(self) -> list[Feature]:
        settings, database = self.settings, self.database
        working = [
            self.audit_log.feature(),
            self.databases.feature(),
            events_feature(self.events, settings.retention_days),
            keys_feature(settings.key_retention_days),
            self.messaging.feature(),
            self.mail.feature(),
            self.realtime.feature(),
            self.webhooks.feature(),
        ]
        later = {STATS_QUEUE, BACKUPS_QUEUE, CLEANUP_QUEUE}
        queues = sorted({*later, *(kind.queue for feature in working for kind in feature.jobs)})
        self._depths = depths = Depths(database, queues)
        self.stats = self._stats(depths)
        working.append(self.stats.feature())
        self.cleanup = self._cleanup(working)
        working.append(self.cleanup.feature())
        self.backups = self._backups([table for feature in working for table in feature.left_out])
        working.append(self.backups.feature())
        self._schedules = _as_set(
            [schedule for feature in working for schedule in feature.schedules], settings.schedules
        )
        self.schedules = ScheduleService(
            database,
            self._ticker(),
            self.jobs,
            self.audit,
            ScheduleOptions(least_gap_seconds=settings.schedule_least_seconds),
        )
        measures = [measure for feature in working for measure in feature.measures]
        kinds = [kind for feature in working for kind in feature.jobs]
        self.job_service = JobService(
            database, self.jobs, self.audit, depths, self.pressure, self.redis.workers, kinds
        )
        return [
            *working,
            jobs_feature(self.job_service, DropKey(database, self.keys_of_jobs)),
            schedules_feature(self.schedules),
            system_feature(
                SystemService(database, self.registry, depths.all, self.redis.stats, measures),
            ),
        ]

    def _backups(self, left_out: Sequence[str]) -> BackupFeature:
        settings = self.settings
        options = BackupOptions(settings.backup_cron, settings.backup_keep, settings.retention_days)
        try:
            return BackupFeature(
                self.database,
                self.objects,
                self._vault,
                self.jobs,
                self.outbox,
                self.audit,
                left_out,
                options,
            )
        except ValueError as error:
            raise ConfigError(f"OGEL_BACKUP_CRON cannot be used: {error}") from None

    def _stats(self, depths: Depths) -> StatsFeature:
        settings = self.settings
        storage = (
            []
            if settings.storage_backend == "local"
            else [Probe("storage", self._storage_answers, required=False)]
        )
        sources = Sources(
            registry=self.registry,
            peaks={"realtime.connections": self.realtime.metrics.take_peak},
            depths=depths.all,
            redis_stats=self.redis.stats,
            breakers=self.webhooks.health_metrics.breakers,
            checkup=Checkup([*self._probes(), *storage]),
            data_dir=settings.data_dir,
        )
        options = StatsOptions(
            flush_seconds=settings.usage_flush_seconds,
            hours_kept_days=settings.usage_hours_days,
            days_kept_days=settings.usage_days,
            samples_kept_days=settings.resources_days,
            thresholds=Thresholds(
                queue_seconds=settings.alert_queue_seconds,
                dead_jobs=settings.alert_dead_jobs,
                open_breakers=settings.alert_open_breakers,
                disk_free_share=settings.alert_disk_free,
                connections_share=settings.alert_connections,
                cache_hit_share=settings.alert_cache_hits,
                memory_bytes=settings.alert_memory_mb * 1024 * 1024,
                redis_memory_share=settings.alert_redis_memory,
            ),
        )
        return StatsFeature(self.database, self.outbox, sources, options)

    def _mail_providers(self) -> list[Guarded[MailProvider]]:
        """In the order they are asked. None: the API takes mail, and it waits for a worker that has some."""
        settings = self.settings
        providers: list[Guarded[MailProvider]] = []
        for name in settings.mail_providers or configured_mail_providers(settings):
            provider: MailProvider
            if name == "resend":
                provider = ResendProvider(
                    self.provider_egress,
                    settings.resend_api_key or "",
                    settings.resend_url,
                    settings.mail_timeout_seconds,
                )
            elif name == "smtp":
                provider = SmtpProvider(SmtpServer.of(settings.smtp_url or ""), settings.mail_timeout_seconds)
            else:
                provider = OutboxProvider(settings.data_dir / "outbox")
            providers.append(Guarded(name, provider, Breaker()))
        return providers

    def _cleanup(self, features: Sequence[Feature]) -> CleanupFeature:
        settings = self.settings
        purges = [
            *(purge for feature in features for purge in feature.purges),
            *purges_of_jobs(self.jobs, settings.dead_job_retention_days),
            purge_of_temporary_files(settings.data_dir),
        ]
        options = CleanupOptions(settings.cleanup_cron, settings.cleanup_off)
        return CleanupFeature(self.database, self.jobs, self.audit, purges, options)

    @asynccontextmanager
    async def _connected(self, works: bool) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:  # closes all of them, whichever fails to
            for pool in (self._pool, self._workers_pool) if works else (self._pool,):
                await pool.open()
                stack.push_async_callback(pool.close, timeout=5.0)
            stack.callback(self.bell.close)
            stack.push_async_callback(self.redis.close)
            stack.push_async_callback(self.broadcast.close)
            stack.push_async_callback(self.egress.close)
            stack.push_async_callback(self.provider_egress.close)
            if self._horses is not None:
                stack.push_async_callback(self._horses.close)
            stack.push_async_callback(self.objects.close)
            await self._own_services.look()
            looking = asyncio.create_task(self._own_services.keep_looking(), name="own services")
            stack.push_async_callback(_cancelled, looking)
            if self._mongo is not None:
                stack.push_async_callback(self._mongo.close)
            ringing = asyncio.create_task(self.bell.run(), name="bell")
            stack.push_async_callback(_cancelled, ringing)
            yield

    @asynccontextmanager
    async def at_hand(self, rings: bool) -> AsyncIterator[None]:
        """For a command that uses the services and ends: the database and, if it `rings`, the bell."""
        async with AsyncExitStack() as stack:
            await self._pool.open()
            stack.push_async_callback(self._pool.close, timeout=5.0)
            stack.push_async_callback(self.redis.close)
            stack.push_async_callback(self.objects.close)
            stack.callback(self.bell.close)
            if rings:
                stack.push_async_callback(self._ring_at_last)
                ringing = asyncio.create_task(self.bell.run(), name="bell")
                stack.push_async_callback(_cancelled, ringing)
            yield

    async def _ring_at_last(self) -> None:
        try:
            await self.bell.flush()
        except (redis.RedisError, OSError) as error:
            log.warning("bell.redis_away", error=str(error), meaning="workers find the work by polling")

    async def run(
        self,
        roles: Roles,
        stop: asyncio.Event,
        beside: Sequence[tuple[str, Service]] = (),
        ready: Callable[[int], None] = lambda port: None,
    ) -> None:
        """
        Serves `roles`, and runs what stands `beside` them, until SIGTERM, SIGINT, `stop` or the end of any part;
        raises what the first failing part raised, and Restart when workers have passed their limit of memory. `ready`
        is told the port.
        """
        host = self.settings.host or "::"
        # Before anything else: a port that is taken is the operator's next question, and health must answer while
        # the servers are waited for.
        sockets = bind(host, self.settings.port)
        app, drain, served = self._app(roles), self.settings.drain_seconds, asyncio.Event()

        async def http(stop: asyncio.Event) -> None:
            try:
                await serve(app, sockets, stop, drain, self.http_metrics.traffic)
            finally:
                served.set()

        async def work(stop: asyncio.Event) -> None:
            migrates = roles.api and self.settings.auto_migrate
            if not await unless_stopped(_ready_database(self.settings, migrates), stop):
                return
            async with self._connected(works=bool(roles.queues)):
                port = sockets[0].getsockname()[1]
                log.info("process.ready", host=host, port=port, **_describe(roles))
                ready(port)
                try:
                    await run_together([("stop", _until_set), *self._services(roles), *beside], stop, drain)
                finally:
                    await served.wait()  # requests in flight need the pool
                    await self.stats.flusher.last()

        await run_until_stopped([("http", http), ("work", work)], stop, drain)
        log.info("process.stopped")

    def _services(self, roles: Roles) -> list[tuple[str, Service]]:
        name = _process_name(roles)
        services: list[tuple[str, Service]] = [
            ("usage", lambda stop: self.stats.flusher.run(name, stop)),
            ("key uses", self._key_uses.run),
        ]
        if roles.queues:
            workers = self._worker(roles.queues)
            services += (
                workers if self._memory is None else [("workers", self._within(self._memory, workers))]
            )
        if roles.api:
            services.append(("pressure", partial(self.pressure.watch, self._depths)))
        if roles.scheduler:
            services.append(("scheduler", self._scheduler()))
        if roles.realtime:
            services.append(("realtime", self.realtime.serve))
        return services

    def _worker(self, queues: Sequence[str]) -> list[tuple[str, Service]]:
        """A service per queue, so that one that fails lets the others finish what they hold."""
        settings = self.settings
        assert settings.redis_url
        metrics = JobMetrics(self.registry)
        runners = {queue: self._runner(queue, metrics) for queue in queues}
        listener = BellListener(settings.redis_url, list(queues), self.doorman.heard, self.doorman.suspended)

        async def listen(stop: asyncio.Event) -> None:
            self.doorman.serve(runners)
            listener.start()
            await stop.wait()
            await listener.stop()

        def working(runner: JobRunner) -> Service:
            return lambda stop: runner.run(stop, settings.drain_seconds)

        return [("bell", listen), *((f"worker {queue}", working(runners[queue])) for queue in queues)]

    def _within(self, limit: MemoryLimit, workers: Sequence[tuple[str, Service]]) -> Service:
        """Past the limit the workers drain first, while everything else in this process goes on."""

        async def work(stop: asyncio.Event) -> None:
            async def until_stop(leave: asyncio.Event) -> None:
                await unless_stopped(_until_set(stop), leave)

            watched = [("stop", until_stop), ("memory", limit.watch), *workers]
            await run_together(watched, asyncio.Event(), self.settings.drain_seconds)
            if limit.passed:
                raise Restart

        return work

    def _runner(self, queue: str, metrics: JobMetrics) -> JobRunner:
        settings, kinds = self.settings, self._kinds_of(queue)
        in_flight = settings.worker_in_flight
        if self._horses is not None and any(kind.isolated is not None for kind in kinds):
            # No more than can be performed: the others are for other workers.
            kinds, in_flight = [kind.performed_by(self._horses) for kind in kinds], settings.isolated_jobs
        options = RunnerOptions(in_flight=in_flight, lease_seconds=settings.lease_seconds)
        return JobRunner(self._workers_database, queue, kinds, options, metrics)

    def _scheduler(self) -> Service:
        assert self.settings.redis_url
        interval_seconds = self.settings.scheduler_interval_seconds
        clock = RqClock(self.settings.redis_url, interval_seconds)
        return SchedulerService(self._ticker(), clock, interval_seconds).run

    def _kinds_of(self, queue: str) -> list[JobKind]:
        return [kind for feature in self.features for kind in feature.jobs if kind.queue == queue]

    def _app(self, roles: Roles) -> ASGIApp:
        shown = self.features if roles.api else [f for f in self.features if f.name == "system"]
        routes = [(feature.name, route) for feature in shown for route in feature.routes]
        streams = [s for feature in self.features for s in feature.streams] if roles.realtime else []
        options = HttpOptions(
            max_body_bytes=self.settings.max_body_bytes, trusted_proxies=self.settings.trusted_proxies
        )
        probes = self._probes()
        if self._memory is not None:
            probes.append(Probe("memory", self._memory.is_kept, required=True))
        return build_app(routes, streams, self.keys.authenticate, self.http_metrics, probes, options)

    def _probes(self) -> list[Probe]:
        probes = [
            Probe("postgres", self._postgres_answers, required=True),
            Probe("redis", self.redis.ping, required=False),
        ]
        if self._mongo is not None:
            probes.append(Probe("mongo", self._mongo.ping, required=False))
        return probes

    async def _postgres_answers(self) -> bool:
        async with self.database.session() as session:
            return bool(await session.value(b"SELECT 1"))

    async def _storage_answers(self) -> bool:
        await check_bucket(bucket_of(self.settings))
        return True


@asynccontextmanager
async def services(settings: Settings) -> AsyncIterator[Platform]:
    """
    For operators' commands, which need the database and nothing else. Without Redis, workers find by polling what is
    written; without OGEL_SECRET, what is sealed cannot be read, and must not be written.
    """
    platform = _with_what_there_is(settings)
    await _ready_database(settings, migrates=False)
    async with platform.at_hand(rings=settings.redis_url is not None):
        yield platform


def _with_what_there_is(settings: Settings) -> Platform:
    return Platform(
        dataclasses.replace(
            settings,
            redis_url=settings.redis_url or _NOWHERE.redis_url,
            admin_key=settings.admin_key or secrets.token_urlsafe(32),
            secret=settings.secret or secrets.token_urlsafe(32),
            pool_min=1,
            pool_max=2,
        )
    )


@asynccontextmanager
async def stored_backups(settings: Settings) -> AsyncIterator[BackupFeature]:
    """Needs no database: for when there is none any more."""
    require_secret(settings)
    platform = _with_what_there_is(
        dataclasses.replace(settings, database_url=settings.database_url or _NOWHERE.database_url)
    )
    try:
        yield platform.backups
    finally:
        await platform.objects.close()


@asynccontextmanager
async def restoring(settings: Settings) -> AsyncIterator[tuple[BackupFeature, Restore]]:
    """Into the database of the settings, whatever its schema is."""
    require_secret(settings)
    url = require_database(settings)
    platform = _with_what_there_is(settings)
    migrations = read_migrations(MIGRATIONS)

    async def apply(version: int) -> list[str]:
        return [each.name for each in await migrate(url, [m for m in migrations if m.version <= version])]

    schema = Schema([SchemaStep(each.version, each.name, each.checksum) for each in migrations], apply)
    restored = [statement for feature in platform.features for statement in feature.restored]
    await wait_for_postgres(url, settings.connect_seconds)
    async with platform.at_hand(rings=False):
        yield platform.backups, platform.backups.restore(schema, restored)


def object_store(settings: Settings) -> ObjectStore:
    if settings.storage_backend == "local":
        return LocalObjects(storage_directory(settings))
    return BucketObjects(bucket_of(settings))


def storage_directory(settings: Settings) -> Path:
    return settings.data_dir / "storage"


@asynccontextmanager
async def sealing_services(settings: Settings) -> AsyncIterator[Platform]:
    """For operators' commands that seal, or need what is sealed. Raises ConfigError without OGEL_SECRET."""
    require_secret(settings)
    async with services(settings) as platform:
        yield platform


@asynccontextmanager
async def sealed_values(settings: Settings) -> AsyncIterator[SealedValues]:
    vault = Vault(require_secret(settings), settings.former_secrets)
    async with services(settings) as platform:
        columns = [column for feature in platform.features for column in feature.sealed]
        yield SealedValues(platform.database, vault, columns)


async def _until_set(stop: asyncio.Event) -> None:
    await stop.wait()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _ready_database(settings: Settings, migrates: bool) -> None:
    assert settings.database_url
    await wait_for_postgres(settings.database_url, settings.connect_seconds)
    migrations = read_migrations(MIGRATIONS)
    if migrates:
        await migrate(settings.database_url, migrations)
    else:
        await wait_for_schema(settings.database_url, migrations, settings.connect_seconds)


def queue_names() -> list[str]:
    """Every queue there is, from the manifests; needs no servers."""
    return Platform(_NOWHERE).queue_names


def _message_providers(settings: Settings, egress: Egress, guarded: Egress) -> MessageProviders:
    """What each needs, `read_settings` has seen to. `guarded`: to addresses that users choose."""
    fcm = vapid = None
    if settings.fcm_service_account is not None:
        account = msgspec.convert(settings.fcm_service_account, ServiceAccount)
        fcm = Fcm(egress, settings.fcm_url, account)
    if settings.vapid_private_key is not None:
        vapid = Vapid(settings.vapid_private_key, settings.vapid_subject or "")
    return MessageProviders(
        sms=[(name, _sms_provider(name, settings, egress)) for name in settings.sms_providers],
        fcm=fcm,
        webpush=WebPush(guarded, vapid) if vapid else None,
        vapid_public_key=(lambda: vapid.public_key) if vapid else None,
    )


def _sms_provider(name: str, settings: Settings, egress: Egress) -> MessageProvider[Sms]:
    if name == "twilio":
        return Twilio(
            egress,
            settings.twilio_url,
            settings.twilio_account_sid or "",
            settings.twilio_auth_token or "",
            settings.twilio_from or "",
        )
    return Vonage(
        egress,
        settings.vonage_url,
        settings.vonage_api_key or "",
        settings.vonage_api_secret or "",
        settings.vonage_from or "",
    )


def bucket_of(settings: Settings) -> Bucket:
    """read_settings has seen to it that none of it is missing."""
    return Bucket(
        endpoint=settings.s3_endpoint or "",
        name=settings.s3_bucket or "",
        access_key=settings.s3_access_key or "",
        secret_key=settings.s3_secret_key or "",
        region=settings.s3_region,
    )


def _horses(settings: Settings, kinds: Sequence[JobKind]) -> RqHorses | None:
    """Without isolated kinds, a worker does not even import what would perform them."""
    if all(kind.isolated is None for kind in kinds):
        return None
    from ogel.adapters.rq_horses.client import RqHorses

    assert settings.redis_url
    return RqHorses(settings.redis_url, kinds, settings.isolated_jobs)


def _as_set(declared: Sequence[Schedule], wanted: Sequence[tuple[str, str]]) -> list[Schedule]:
    """Raises ConfigError: OGEL_SCHEDULES names what is not there, or a cron that cannot be used."""
    schedules = {schedule.name: schedule for schedule in declared}
    for name, cron in wanted:
        if name not in schedules:
            known = ", ".join(sorted(schedules))
            raise ConfigError(f"OGEL_SCHEDULES names {name!r}; there are {known}")
        try:
            schedules[name] = replace(
                schedules[name], **({"enabled": False} if cron.lower() == "off" else {"cron": cron})
            )
        except ValueError as error:
            raise ConfigError(f"OGEL_SCHEDULES: {error}") from None
    return list(schedules.values())


def _own_hosts(settings: Settings) -> OwnHosts:
    """The servers and names that webhooks must not reach, wherever they are."""
    servers = [settings.database_url, settings.redis_url, settings.mongo_url, settings.egress_proxy]
    fronts = []
    if settings.private_domain:
        servers.append(f"//{settings.private_domain}")
    if settings.public_domain:
        fronts.append(f"//{settings.public_domain}")
    if settings.s3_endpoint:
        (fronts if settings.s3_endpoint.startswith("https:") else servers).append(settings.s3_endpoint)
    return OwnHosts.of(servers, fronts)


def _pool_options(settings: Settings) -> PoolOptions:
    return PoolOptions(
        minimum=min(settings.pool_min, settings.pool_max),
        maximum=settings.pool_max,
        idle_seconds=settings.pool_idle_seconds,
        timeout_seconds=settings.pool_timeout_seconds,
        keepalive_seconds=settings.pool_keepalive_seconds,
    )


def _workers_pool_options(settings: Settings) -> PoolOptions:
    """A claim and a write at once for each of the busy queues; the others wait milliseconds."""
    return replace(_pool_options(settings), minimum=1, maximum=6)


def _process_name(roles: Roles) -> str:
    """As its entrypoint is called, and where it runs: `worker-webhooks 3f9c2d:7`."""
    worker = f"worker-{roles.queues[0]}" if len(roles.queues) == 1 else "worker"
    does = {"api": roles.api, worker: roles.queues, "scheduler": roles.scheduler, "realtime": roles.realtime}
    parts = [name for name, it_does in does.items() if it_does]
    return f"{','.join(parts)} {socket.gethostname()}:{os.getpid()}"


def _describe(roles: Roles) -> Mapping[str, object]:
    return {
        "api": roles.api,
        "queues": list(roles.queues),
        "scheduler": roles.scheduler,
        "realtime": roles.realtime,
    }
