"""Checks a Redis or Valkey server: whether it answers, and what INFO reports."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from ogel.runtime.database.registered import Seen, Target, TargetError
from ogel.runtime.metrics.redis_stats import server_of

_TIMEOUT_SECONDS = 5.0
_MESSAGE_LENGTH = 500
_SHOWN = (
    "uptime_in_seconds", "connected_clients", "blocked_clients", "maxclients", "used_memory", "used_memory_peak",
    "used_memory_rss", "maxmemory", "maxmemory_policy", "mem_fragmentation_ratio", "evicted_keys", "expired_keys",
    "keyspace_hits", "keyspace_misses", "total_commands_processed", "instantaneous_ops_per_sec",
    "rejected_connections", "role", "connected_slaves", "aof_enabled", "rdb_last_save_time",
    "rdb_last_bgsave_status",
)  # fmt: skip


async def look(target: Target, address: str) -> Seen:
    """Raises TargetError. A server whose statistics may not be read is still reachable."""
    client = _client(target, address)
    try:
        await client.ping()
        began = time.monotonic()
        await client.ping()
        latency = time.monotonic() - began
        try:
            info = await client.info("everything")
        except ResponseError as error:
            return Seen(latency, "?", {}, _told(target, error))
        server, version = server_of(info)
        return Seen(latency, version, {"server": server, **_summary(info)}, None)
    except (RedisError, OSError) as error:
        final = isinstance(error, AuthenticationError | ResponseError)
        raise TargetError(_told(target, error), final=final) from None
    finally:
        await client.aclose()


def _client(target: Target, address: str) -> Redis:
    verifies = target.ssl_mode == "verify-full"
    secure: dict[str, Any] = {}
    if target.ssl_mode != "disable":
        secure = {
            "ssl": True,
            "ssl_cert_reqs": "required" if verifies else "none",
            "ssl_check_hostname": verifies,
        }
    return Redis(
        # When the certificate proves the name, a later change of what it resolves to does no harm.
        host=target.host if verifies else address,
        port=target.port,
        db=int(target.database),
        username=target.username,
        password=target.password,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        encoding_errors="replace",
        single_connection_client=True,
        client_name="ogel-databases",
        **secure,
    )


def _summary(info: Mapping[str, Any]) -> dict[str, Any]:
    looked_for = info.get("keyspace_hits", 0) + info.get("keyspace_misses", 0)
    return {
        **{name: info[name] for name in _SHOWN if name in info},
        "hit_ratio": round(info["keyspace_hits"] / looked_for, 4) if looked_for else None,
        "databases": {
            name: value for name, value in info.items() if name.startswith("db") and isinstance(value, dict)
        },
    }


def _told(target: Target, error: Exception) -> str:
    text = " ".join(target.without_password(str(error)).split()) or type(error).__name__
    return text[:_MESSAGE_LENGTH]
