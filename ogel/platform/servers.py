"""What a process leans on, as its settings name it: made here, connected to while a block runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import redis
import structlog

from ogel.adapters.egress import AddressGuard, Door, EgressClient, OwnServices, Proxy, ProxyAddress
from ogel.adapters.egress.outgoing import OutgoingClient
from ogel.adapters.egress.upstreams import UpstreamClient
from ogel.adapters.postgres import make_pool, name_connections
from ogel.adapters.redis.info import RedisInfo
from ogel.adapters.redis.pubsub import RedisBroadcast
from ogel.adapters.redis.rates import RedisRates
from ogel.adapters.rq_bell.ring import RqBell
from ogel.platform.outside import bucket_of, object_store, own_hosts, pool_options, workers_pool_options
from ogel.runtime.database.check import check_writes
from ogel.runtime.database.database import Database
from ogel.runtime.http.health import Probe
from ogel.runtime.jobs.bell import Notifier
from ogel.runtime.realtime.signed import SignedBroadcast
from ogel.settings import Settings

if TYPE_CHECKING:
    from ogel.adapters.mongo import Mongo

log = structlog.get_logger(__name__)


class Servers:
    """Building it connects to nothing; `connected` and `at_hand` do, while their blocks run."""

    def __init__(self, settings: Settings) -> None:
        assert settings.database_url
        assert settings.redis_url
        assert settings.secret
        self._settings = settings
        self.bell = RqBell(settings.redis_url)
        self.notifier = Notifier(self.bell)
        self._pool = make_pool(settings.database_url, pool_options(settings))
        self.database = Database(self._pool, self.notifier.ring)
        # Claims, results and leases do not queue behind requests: a flood of those must not cost a worker its leases.
        self._workers_pool = make_pool(settings.database_url, workers_pool_options(settings))
        self.workers_database = Database(self._workers_pool, self.notifier.ring)
        self.redis = RedisInfo(settings.redis_url)
        self._mongo = _mongo(settings.mongo_url)
        self._pubsub = RedisBroadcast(settings.redis_url)
        self.rates = RedisRates(settings.redis_url)
        self.broadcast = SignedBroadcast(self._pubsub, settings.secret, settings.former_secrets)
        own = own_hosts(settings)
        self.guard = guard = AddressGuard(
            allow=settings.webhook_allow_nets or (), own_names=own.servers | own.fronts
        )
        self.url_guard = Door(guard)
        self.own_services = OwnServices(guard, own)
        proxy = Proxy(ProxyAddress.of(settings.egress_proxy)) if settings.egress_proxy else None
        self.egress = EgressClient(guard, max_connections=settings.worker_in_flight + 100, proxy=proxy)
        self.outgoing = OutgoingClient(proxy=settings.egress_proxy)
        self.upstreams = UpstreamClient()
        self.objects = object_store(settings)

    @property
    def probes(self) -> list[Probe]:
        probes = [
            Probe("postgres", self._postgres_takes_writes, required=True),
            Probe("redis", self.redis.takes_writes, required=False),
        ]
        if self._mongo is not None:
            probes.append(Probe("mongo", self._mongo.ping, required=False))
        return probes

    @property
    def costly_probes(self) -> list[Probe]:
        if self._settings.storage_backend == "local":
            return []
        return [Probe("storage", self._storage_answers, required=False)]

    @asynccontextmanager
    async def connected(self, works: bool, name: str) -> AsyncIterator[None]:
        """`name`: that of the process, as its database shows it. `works`: it serves queues."""
        async with AsyncExitStack() as stack:  # closes all of them, whichever fails to
            for pool in (self._pool, self._workers_pool) if works else (self._pool,):
                name_connections(pool, name)
                await pool.open()
                stack.push_async_callback(pool.close, timeout=5.0)
            stack.callback(self.bell.close)
            stack.push_async_callback(self.redis.close)
            stack.push_async_callback(self._pubsub.close)
            stack.push_async_callback(self.rates.close)
            stack.push_async_callback(self.egress.close)
            stack.push_async_callback(self.outgoing.close)
            stack.push_async_callback(self.upstreams.close)
            stack.push_async_callback(self.objects.close)
            await self.own_services.look()
            looking = asyncio.create_task(self.own_services.keep_looking(), name="own services")
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
            name_connections(self._pool, "cli")
            await self._pool.open()
            stack.push_async_callback(self._pool.close, timeout=5.0)
            stack.push_async_callback(self.redis.close)
            stack.push_async_callback(self._pubsub.close)
            stack.push_async_callback(self.rates.close)
            stack.push_async_callback(self.outgoing.close)
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

    async def _postgres_takes_writes(self) -> bool:
        await check_writes(self.database)
        return True

    async def _storage_answers(self) -> bool:
        from ogel.adapters.storage.s3 import check_bucket

        await check_bucket(bucket_of(self._settings))
        return True


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _mongo(url: str | None) -> Mongo | None:
    if url is None:
        return None
    from ogel.adapters.mongo import Mongo

    return Mongo(url)
