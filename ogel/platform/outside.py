"""The outside world as the settings name it: settings in, adapters out. Nothing is connected to here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ogel.adapters.egress import OwnHosts
from ogel.adapters.postgres import IN_ORDER_OF_INDEXES, PoolOptions
from ogel.settings import Settings

# Each adapter is imported where the settings choose it.
if TYPE_CHECKING:
    from ogel.adapters.rq_horses.client import RqHorses
    from ogel.adapters.storage.s3 import Bucket
    from ogel.runtime.jobs.kind import JobKind
    from ogel.runtime.objects import ObjectStore
    from ogel.runtime.rates.policy import Quota


def object_store(settings: Settings) -> ObjectStore:
    if settings.storage_backend == "local":
        from ogel.adapters.storage.local import LocalObjects

        return LocalObjects(storage_directory(settings), settings.local_bytes)
    from ogel.adapters.storage.s3 import BucketObjects

    return BucketObjects(bucket_of(settings))


def storage_directory(settings: Settings) -> Path:
    return settings.data_dir / "storage"


def bucket_of(settings: Settings) -> Bucket:
    """read_settings has seen to it that none of it is missing."""
    from ogel.adapters.storage.s3 import Bucket

    return Bucket(
        endpoint=settings.s3_endpoint or "",
        name=settings.s3_bucket or "",
        access_key=settings.s3_access_key or "",
        secret_key=settings.s3_secret_key or "",
        region=settings.s3_region or "",
        is_virtual=settings.s3_url_style == "virtual",
        public_endpoint=settings.s3_public_endpoint,
    )


def horses(settings: Settings, kinds: Sequence[JobKind]) -> RqHorses | None:
    """Without isolated kinds, a worker does not even import what would perform them."""
    if all(kind.isolated is None for kind in kinds):
        return None
    from ogel.adapters.rq_horses.client import RqHorses

    assert settings.redis_url
    return RqHorses(settings.redis_url, kinds, settings.isolated_jobs, settings.remote_shutdown)


def own_hosts(settings: Settings) -> OwnHosts:
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


def pool_options(settings: Settings) -> PoolOptions:
    return PoolOptions(
        minimum=min(settings.pool_min, settings.pool_max),
        maximum=settings.pool_max,
        idle_seconds=settings.pool_idle_seconds,
        timeout_seconds=settings.pool_timeout_seconds,
        keepalive_seconds=settings.pool_keepalive_seconds,
    )


def workers_pool_options(settings: Settings) -> PoolOptions:
    """A claim and a write at once for each of the busy queues; the others wait milliseconds."""
    return replace(pool_options(settings), minimum=1, maximum=6, session_options=IN_ORDER_OF_INDEXES)


def quotas_by_class(settings: Settings) -> Mapping[str, tuple[Quota, ...]]:
    """By rate class, and that of keys that are none."""
    return {
        "read": settings.rate_read,
        "write": settings.rate_write,
        "publish": settings.rate_publish,
        "stream": settings.rate_stream,
        "sign_in": settings.rate_sign_in,
        "wrong_keys": settings.rate_wrong_keys,
    }
