"""Redis, asked how it is: a ping, a few numbers, and which RQ workers are registered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

_TIMEOUT_SECONDS = 1.0


class RedisInfo:
    def __init__(self, redis_url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            redis_url,
            timeout=_TIMEOUT_SECONDS,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            decode_responses=True,
            max_connections=4,
        )
        self._client: Redis = Redis.from_pool(pool)

    async def ping(self) -> bool:
        return bool(await self._client.ping())

    async def stats(self) -> Mapping[str, Any] | None:
        """None while Redis is away."""
        try:
            info = await self._client.info()
        except (RedisError, OSError) as error:
            log.warning("redis.away", error=str(error))
            return None
        names = {
            "redis_version": "version",
            "connected_clients": "connected_clients",
            "used_memory": "used_memory",
            "total_commands_processed": "total_commands",
            "maxmemory_policy": "eviction_policy",
        }
        return {ours: info[theirs] for theirs, ours in names.items() if theirs in info}

    async def workers(self) -> Mapping[str, Sequence[str]] | None:
        """Names of RQ's live workers by queue, as `rq info` shows them; None while Redis is away."""
        try:
            keys = sorted(str(key) for key in await self._client.smembers("rq:workers"))
            async with self._client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.hmget(key, ["queues", "death"])
                answers = await pipeline.execute() if keys else []
        except (RedisError, OSError) as error:
            log.warning("redis.away", error=str(error))
            return None
        found: defaultdict[str, list[str]] = defaultdict(list)
        for key, (queues, death) in zip(keys, answers, strict=True):
            for queue in (queues or "").split(",") if not death else ():
                found[queue].append(key.removeprefix("rq:worker:"))
        return found

    async def close(self) -> None:
        await self._client.aclose()
