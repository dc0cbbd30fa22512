"""The state of Redis: whether it takes writes, a few numbers, and the registered RQ workers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import NoPermissionError

from ogel.adapters.redis.faults import REDIS_FAULTS, fault_of
from ogel.runtime.metrics.redis_stats import server_of

log = structlog.get_logger(__name__)

_TIMEOUT_SECONDS = 1.0
_PID = re.compile(r"[0-9]{1,10}")
_PROBE_KEY, _PROBE_MILLISECONDS = "ogel:health", 1000


class RedisInfo:
    def __init__(self, redis_url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            redis_url,
            timeout=_TIMEOUT_SECONDS,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            decode_responses=True,
            encoding_errors="replace",  # what is written there need not be text
            max_connections=4,
        )
        self._client: Redis = Redis.from_pool(pool)

    async def takes_writes(self) -> bool:
        """Raises Unavailable with the server's message. A ping would still succeed without memory or disk."""
        try:
            return bool(await self._client.set(_PROBE_KEY, "", px=_PROBE_MILLISECONDS))
        except NoPermissionError:
            return True  # of this key; of those that matter, RQ tells
        except REDIS_FAULTS as error:
            raise fault_of(error) from error

    async def stats(self) -> Mapping[str, Any] | None:
        """Returns None while Redis is away."""
        try:
            info = await self._client.info()
        except REDIS_FAULTS as error:
            log.warning("redis.away", error=str(error))
            return None
        names = {
            "connected_clients": "connected_clients",
            "used_memory": "used_memory",
            "total_commands_processed": "total_commands",
            "maxmemory": "maxmemory",
            "maxmemory_policy": "eviction_policy",
            "evicted_keys": "evicted_keys",
        }
        server, version = server_of(info)
        keys = sum(each["keys"] for name, each in info.items() if name.startswith("db") and "keys" in each)
        numbers = {ours: info[theirs] for theirs, ours in names.items() if theirs in info}
        return {"server": server, "version": version, **numbers, "keys": keys}

    async def workers(self) -> Sequence[Mapping[str, Any]] | None:
        """
        RQ's live workers, as `rq info` shows them: name, queues, host, pid, state, started_at and seen_at. One of ours
        that was killed is gone within ten seconds, when its key expires. None while Redis is away.
        """
        try:
            keys = sorted(str(key) for key in await self._client.smembers("rq:workers"))
            async with self._client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.hgetall(key)
                # A key that is no hash gives an error in place of its value.
                answers = await pipeline.execute(raise_on_error=False) if keys else []
        except REDIS_FAULTS as error:
            log.warning("redis.away", error=str(error))
            return None
        return [
            _worker(key.removeprefix("rq:worker:"), fields)
            for key, fields in zip(keys, answers, strict=True)
            if isinstance(fields, dict) and "birth" in fields and "death" not in fields
        ]

    async def close(self) -> None:
        await self._client.aclose()


def _worker(name: str, fields: Mapping[str, str]) -> Mapping[str, Any]:
    return {
        "name": name,
        "queues": [queue for queue in fields.get("queues", "").split(",") if queue],
        "host": fields.get("hostname"),
        "pid": int(fields["pid"]) if _PID.fullmatch(fields.get("pid", "")) else None,
        "state": fields.get("state"),
        "started_at": _time(fields.get("birth")),
        "seen_at": _time(fields.get("last_heartbeat")),
    }


def _time(text: str | None) -> datetime | None:
    """Parses a time as RQ writes it; None for another format of another version."""
    try:
        time = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
