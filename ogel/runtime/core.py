"""Core: everything that any feature may use, and nothing that only one of them needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from ogel.runtime.audit import AuditTrail
    from ogel.runtime.database.database import Database
    from ogel.runtime.delivery.providers import ProviderMetrics
    from ogel.runtime.egress import Egress, UrlGuard
    from ogel.runtime.http.health import Probe
    from ogel.runtime.http.watching import Watching
    from ogel.runtime.jobs.depths import Depths
    from ogel.runtime.jobs.keys import JobKeys
    from ogel.runtime.jobs.pressure import Pressure
    from ogel.runtime.jobs.store import JobQueue
    from ogel.runtime.lazy import Features
    from ogel.runtime.metrics.redis_stats import AskRedis
    from ogel.runtime.metrics.tallies import Tallies
    from ogel.runtime.network.server import NamedServer
    from ogel.runtime.objects import ObjectStore
    from ogel.runtime.outbox import Outbox
    from ogel.runtime.outgoing import Outgoing, Upstreams
    from ogel.runtime.railway import Railway
    from ogel.runtime.rates.limiter import Limiter
    from ogel.runtime.realtime.broadcast import Broadcast
    from ogel.runtime.reserved import ReservedTypes
    from ogel.runtime.schedule.built_in import BuiltInSchedules
    from ogel.runtime.secrets.vault import Vault

# Returns the live workers; None when that is unknown (Redis is away).
AskWorkers = Callable[[], Awaitable[Sequence[Mapping[str, Any]] | None]]


class ThisProcess(Struct):
    """
    Properties of a process that are known only when it is about to run.

    name    what it does, and where: `worker-webhooks host:17`.
    labels  stand at every number of this process in its metrics.
    """

    name: str = ""
    labels: dict[str, str] = {}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Core:
    """
    database          for requests; nothing is connected to before the process runs.
    workers_database  for claims, results and leases, which do not queue behind requests.
    jobs, keys        the queue, and the keys that jobs of one kind share.
    outbox            publishes events; `reserved` are the types that only features publish.
    egress            to addresses that users choose, which `url_guard` has a say in; `outgoing` to those that
                      operators set, which may be private; `upstreams` to those that requests are passed on to.
    railway           Railway's API; without a token in the settings, every call of it raises RailwayError.
    railway_project   the id of the project that this process is of; None: it is of none.
    railway_environment  likewise, of the environment; and its `railway_deployment`.
    tallies           what is counted for the objectives.
    broadcast         to all processes, through Redis, if this one `has_redis`.
    pressure          whether full queues take more: `core.pressure.admit`.
    limiter           how much each caller may ask for.
    watch             tells who remembers a key or session when that ends.
    features          the manifests of all others, built when they are asked for.
    servers           those outside that the settings name.
    probes            of the servers; `costly_probes` are those that are asked each minute, and not by whoever asks.
    admin_key         the key that stands in the settings.
    retention_days    how long what has no setting of its own is remembered.
    drain_seconds     how long what is in flight may take to end, once the process is told to stop.
    """

    database: Database
    workers_database: Database
    jobs: JobQueue
    keys: JobKeys
    outbox: Outbox
    reserved: ReservedTypes
    audit: AuditTrail
    vault: Vault
    egress: Egress
    outgoing: Outgoing
    upstreams: Upstreams
    railway: Railway
    railway_project: str | None
    railway_environment: str | None
    railway_deployment: str | None
    url_guard: UrlGuard
    provider_metrics: ProviderMetrics
    registry: CollectorRegistry
    tallies: Tallies
    broadcast: Broadcast
    has_redis: bool
    objects: ObjectStore
    pressure: Pressure
    depths: Depths
    redis_stats: AskRedis
    redis_workers: AskWorkers
    watch: Watching
    limiter: Limiter
    schedules: BuiltInSchedules
    features: Features
    process: ThisProcess
    servers: Sequence[NamedServer]
    probes: Sequence[Probe]
    costly_probes: Sequence[Probe]
    admin_key: str
    data_dir: Path
    retention_days: float
    drain_seconds: float
