"""Requests to a suite whose servers hang: answered in time, and once the servers go on as if nothing had been."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import BACKEND
from tests.support.hanging import hanging_postgres, hanging_redis
from tests.support.impatient_process import MODULE, SECONDS
from tests.support.process import Client, Ogel, Response, eventually

pytestmark = pytest.mark.skipif(BACKEND == "containers", reason="stops the servers' processes")

POOL_SECONDS, READY_SECONDS, ALIVE_SECONDS = 0.5, 2.0, 1.0
# What a busy machine adds.
ROOM_SECONDS = 2.0
TOGETHER = 30  # more than the pool has connections


def test_every_request_is_answered_while_the_servers_hang(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    ogel = Ogel(
        *("api", "--with", "worker,scheduler"),
        log=tmp_path / "api.log",
        module=MODULE,
        DATABASE_URL=database_url,
        REDIS_URL=redis_url,
        OGEL_POOL_TIMEOUT_SECONDS=str(POOL_SECONDS),
    )
    with ogel, ThreadPoolExecutor(TOGETHER) as clients:
        api = ogel.api
        assert publish(api, 0)[0].status == 202
        with hanging_postgres(database_url):
            asked = [clients.submit(publish, api, n) for n in range(TOGETHER)]
            eventually(lambda: unready(api), READY_SECONDS + ROOM_SECONDS, "the suite to be unready")
            liveness, seconds = timed(api, "GET", "/health/live")
            assert liveness.status == 200
            assert seconds < ALIVE_SECONDS
            for answer, seconds in (each.result() for each in asked):
                assert answer.status == 503
                assert answer.json["type"] in ("urn:ogel:database-silent", "urn:ogel:database-away")
                assert answer.headers["retry-after"]
                assert seconds < SECONDS + POOL_SECONDS + ROOM_SECONDS
            # Those who come later do not find it out once more, one after the other.
            answer, seconds = timed(api, "GET", "/api/events")
            assert answer.status == 503
            assert seconds < SECONDS + ROOM_SECONDS
        # Whatever was committed in the end is not published twice.
        eventually(lambda: api("GET", "/health/ready").status == 200, 20, "the suite to be ready again")
        assert {answer.status for answer, _ in clients.map(lambda n: publish(api, n), range(TOGETHER))} == {
            202
        }
        assert len(api.ok("GET", "/api/events?type=order.created&limit=100")["items"]) == TOGETHER

        with hanging_redis(redis_url):
            answer, seconds = publish(api, TOGETHER)
            assert answer.status == 202
            assert seconds < SECONDS + ROOM_SECONDS
            eventually(lambda: degraded(api), READY_SECONDS + ROOM_SECONDS, "the suite to be degraded")
        eventually(lambda: api("GET", "/api/health").json["status"] == "healthy", 20, "all to be well again")


def publish(api: Client, number: int) -> tuple[Response, float]:
    return timed(api, "POST", "/api/events", {"id": f"evt-{number}", "type": "order.created", "data": number})


def unready(api: Client) -> bool:
    """What is answered may have been found out a moment before."""
    readiness, seconds = timed(api, "GET", "/health/ready")
    assert seconds < READY_SECONDS + ALIVE_SECONDS
    return (readiness.status, readiness.json["checks"]["postgres"]) == (503, False)


def degraded(api: Client) -> bool:
    health, seconds = timed(api, "GET", "/api/health")
    assert seconds < READY_SECONDS + ALIVE_SECONDS
    return (health.status, health.json["status"]) == (200, "degraded")


def timed(api: Client, method: str, path: str, body: object = None) -> tuple[Response, float]:
    began = time.monotonic()
    answer = api(method, path, body)
    return answer, time.monotonic() - began
