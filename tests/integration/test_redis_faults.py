"""A Redis that answers and takes no writes: it is said, and nothing else suffers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
import redis
from redis.exceptions import BusyLoadingError, ResponseError, TimeoutError

from ogel.adapters.redis.faults import fault_of
from ogel.adapters.redis.info import RedisInfo
from ogel.kernel.errors import Unavailable
from tests.support.process import Ogel, eventually
from tests.support.receiver import Receiver

# What makes it so, what ends it, and what is said.
FAULTS = [
    (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"], "out of memory"),
    (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"], "it is a replica"),
    (
        ["CONFIG", "SET", "min-replicas-to-write", "1"],
        ["CONFIG", "SET", "min-replicas-to-write", "0"],
        "too few replicas",
    ),
]


async def asked(url: str) -> bool:
    info = RedisInfo(url)
    try:
        return await info.takes_writes()
    finally:
        await info.close()


@pytest.mark.parametrize(("begin", "end", "said"), FAULTS)
def test_a_redis_that_takes_no_writes_says_why(
    redis_url: str, begin: Sequence[str], end: Sequence[str], said: str
) -> None:
    assert asyncio.run(asked(redis_url))
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command(*begin)
        try:
            with pytest.raises(Unavailable, match=said):
                asyncio.run(asked(redis_url))
        finally:
            client.execute_command(*end)
    assert asyncio.run(asked(redis_url))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ResponseError("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to"), "its disk"),
        (ResponseError("MISCONF Errors writing to the AOF file: No space left on device"), "its disk"),
        (ResponseError("OOM command not allowed when used memory > 'maxmemory'."), "out of memory"),
        (BusyLoadingError("Redis is loading the dataset in memory"), "loading"),
        (ResponseError("UNHEARDOF of"), "UNHEARDOF"),
        (redis.ConnectionError("max number of clients reached"), "no connection left"),
        (TimeoutError("Timeout reading from redis://:hunter2@h"), "does not answer"),
        (OSError("gone"), "does not answer"),
    ],
)  # fmt: skip
def test_what_redis_says_is_put_in_our_words(error: redis.RedisError | OSError, said: str) -> None:
    message = fault_of(error).message
    assert said in message
    assert "hunter2" not in message


def test_events_go_on_without_writes_to_redis(tmp_path: Path, database_url: str, redis_url: str) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_DRAIN_SECONDS": "1"}
    with (
        Receiver() as receiver,
        redis.Redis.from_url(redis_url) as client,
        Ogel("api", "--with", "worker,scheduler,realtime", log=tmp_path / "ogel.log", **servers) as ogel,
    ):
        ogel.api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["*"]})
        for begin, end, said in FAULTS:
            client.execute_command(*begin)
            try:
                eventually(lambda said=said: said in reason(ogel), 10, f"health to say {said}")
                event = ogel.api.ok("POST", "/api/events", {"type": "order.created", "data": {}})
                receiver.wait_for_ids([event["id"]], 20)
                for path in (
                    "/api/workers",
                    "/api/queues",
                    "/api/metrics",
                    "/metrics",
                    "/api/jobs",
                    "/health/ready",
                ):
                    assert ogel.api("GET", path).status == 200, path
            finally:
                client.execute_command(*end)
            eventually(lambda: reason(ogel) == "", 10, "health to be well again")
        assert '"http.error"' not in ogel.log_text()


def reason(ogel: Ogel) -> str:
    health = ogel.api("GET", "/api/health").json
    assert health["status"] == ("degraded" if health["reasons"] else "healthy")
    return str(health["reasons"].get("redis", ""))
