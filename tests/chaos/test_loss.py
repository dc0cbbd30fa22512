"""Whatever dies, every event arrives: at least once, under its one id, with nothing left running or lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from ogel.adapters.embedded import EmbeddedServers
from ogel.runtime.jobs.shares import FIRST_SHARE
from tests.support.process import Client, Ogel, eventually
from tests.support.receiver import Answer, Receiver

EVENTS = 200
# Short, so that a dead worker's jobs come back within the test's patience.
QUICK = {"OGEL_LEASE_SECONDS": "2", "OGEL_WEBHOOK_RETRY_DELAYS": "0.2,0.2,0.2,0.2,0.2,0.2,0.2,0.2"}


@pytest.fixture
def own_servers(tmp_path: Path) -> Iterator[EmbeddedServers]:
    """Servers that this test may stop."""
    with EmbeddedServers.start(tmp_path / "servers") as started:
        yield started


def urls(servers: EmbeddedServers) -> dict[str, str]:
    assert servers.database_url and servers.redis_url
    return {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}


@contextmanager
def slow_receiver(seconds: float) -> Iterator[Receiver]:
    """Takes `seconds` to answer, so that what was sent stays in flight."""
    with Receiver(lambda _: Answer(after_seconds=seconds)) as receiver:
        yield receiver


def subscribe(api: Client, receiver: Receiver) -> str:
    webhook = api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["*"], "max_in_flight": 1000})
    secret: str = webhook["secret"]
    return secret


def publish(api: Client, count: int, prefix: str) -> list[str]:
    events = [{"type": "chaos.happened", "data": {"n": n}, "id": f"{prefix}-{n}"} for n in range(count)]
    answers = api.ok("POST", "/api/events", events)
    assert [answer["deliveries"] for answer in answers] == [1] * count
    return [event["id"] for event in events]


def assert_nothing_left(database_url: str, deliveries: int) -> None:
    """No job waits, runs or is dead, and every delivery is written as delivered."""

    def settled() -> bool:
        with psycopg.connect(database_url) as connection:
            jobs = connection.execute(
                "SELECT count(*) FROM job_queue WHERE queue_name = 'webhooks'"
            ).fetchone()
            done = connection.execute(
                "SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'"
            ).fetchone()
        return jobs == (0,) and done == (deliveries,)

    eventually(settled, 20, f"{deliveries} deliveries to be written and no job to be left")


def assert_one_attempt_row_per_delivery_at_least(database_url: str, deliveries: int) -> None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(DISTINCT delivery_id) FROM webhook_attempts WHERE outcome = 'delivered'"
        ).fetchone()
    assert row == (deliveries,)


@pytest.mark.long
def test_kill_9_of_the_worker(tmp_path: Path, database_url: str, redis_url: str) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **QUICK}
    with slow_receiver(1.0) as receiver, Ogel("api", log=tmp_path / "api.log", **servers) as api:
        secret = subscribe(api.api, receiver)
        worker = Ogel("worker", "webhooks", log=tmp_path / "worker.log", **servers).start()
        ids = publish(api.api, EVENTS, "worker")
        receiver.wait_for_count(EVENTS // 2)
        worker.kill()
        receiver.answer = lambda _: Answer()
        with Ogel("worker", "webhooks", log=tmp_path / "worker2.log", **servers):
            receiver.wait_for_ids(ids, 20)
            assert_nothing_left(database_url, EVENTS)
        assert set(receiver.ids()) == set(ids)
        receiver.verify_all(secret)
        assert_one_attempt_row_per_delivery_at_least(database_url, EVENTS)


def test_kill_9_of_everything_in_one_process(tmp_path: Path) -> None:
    settings = {"OGEL_DATA_DIR": str(tmp_path / "data"), **QUICK}
    with slow_receiver(1.0) as receiver:
        first = Ogel("up", log=tmp_path / "up.log", **settings).start()
        secret = subscribe(first.api, receiver)
        ids = publish(first.api, EVENTS, "up")
        receiver.wait_for_count(EVENTS // 2)
        first.kill()
        receiver.answer = lambda _: Answer()
        with Ogel("up", log=tmp_path / "up2.log", **settings) as second:
            receiver.wait_for_ids(ids, 30)
            eventually(lambda: queue_is_empty(second.api), 20, "the queue to be empty")
            deliveries = second.api.ok("GET", "/api/deliveries?status=delivered&limit=100")
            assert len(deliveries["items"]) == 100
            assert second.api.ok("GET", "/api/deliveries?status=pending")["items"] == []
        assert set(receiver.ids()) == set(ids)
        receiver.verify_all(secret)


def queue_is_empty(api: Client) -> bool:
    [queue] = [q for q in api.ok("GET", "/api/queues")["items"] if q["name"] == "webhooks"]
    return (queue["depth"], queue["running"], queue["dead"]) == (0, 0, 0)


def test_redis_flushed_while_delivering(tmp_path: Path, database_url: str, redis_url: str) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **QUICK}
    with slow_receiver(0.2) as receiver, Ogel("api", log=tmp_path / "api.log", **servers) as api:
        subscribe(api.api, receiver)
        with (
            Ogel("worker", "webhooks", log=tmp_path / "worker.log", **servers),
            redis.Redis.from_url(redis_url) as client,
        ):
            ids = []
            for batch in range(4):
                ids += publish(api.api, EVENTS // 4, f"flush{batch}")
                client.flushall()
            receiver.wait_for_ids(ids, 20)
            assert_nothing_left(database_url, EVENTS)


def test_redis_stopped_while_publishing(tmp_path: Path, own_servers: EmbeddedServers) -> None:
    servers = {**urls(own_servers), **QUICK}
    with Receiver() as receiver, Ogel("api", log=tmp_path / "api.log", **servers) as api:
        subscribe(api.api, receiver)
        with Ogel("worker", "webhooks", log=tmp_path / "worker.log", **servers):
            before = publish(api.api, 10, "before")
            receiver.wait_for_ids(before, 10)
            own_servers.stop_redis()
            during = publish(api.api, EVENTS, "during")
            health = eventually(
                lambda: (h := api.api("GET", "/api/health")).json["status"] == "degraded" and h,
                10,
                "degraded health",
            )
            assert health.status == 200
            receiver.wait_for_ids(during, 20)
            own_servers.start_redis()
            after = publish(api.api, 10, "after")
            receiver.wait_for_ids(after, 20)
            assert_nothing_left(servers["DATABASE_URL"], EVENTS + 20)


def test_postgres_killed_while_delivering(tmp_path: Path, own_servers: EmbeddedServers) -> None:
    servers = {**urls(own_servers), **QUICK}
    with slow_receiver(0.5) as receiver, Ogel("api", log=tmp_path / "api.log", **servers) as api:
        subscribe(api.api, receiver)
        with Ogel("worker", "webhooks", log=tmp_path / "worker.log", **servers):
            ids = publish(api.api, EVENTS, "postgres")
            receiver.wait_for_count(EVENTS // 4)
            os.kill(own_servers.pids["postgres"], signal.SIGKILL)
            own_servers.stop_postgres()
            refused = api.api("POST", "/api/events", {"type": "chaos.happened", "data": 1})
            assert refused.status == 503
            assert refused.headers["content-type"] == "application/problem+json"
            own_servers.start_postgres()
            receiver.wait_for_ids(ids, 30)
            assert_nothing_left(servers["DATABASE_URL"], EVENTS)


def test_sigterm_finishes_what_is_in_flight(tmp_path: Path, database_url: str, redis_url: str) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_DRAIN_SECONDS": "10"}
    with slow_receiver(1.5) as receiver, Ogel("api", log=tmp_path / "api.log", **servers) as api:
        subscribe(api.api, receiver)
        worker = Ogel("worker", "webhooks", log=tmp_path / "worker.log", **servers).start()
        ids = publish(api.api, 50, "drain")
        receiver.wait_for_ids(ids, 10)
        assert worker.terminate(seconds=12) == 0
        assert_nothing_left(database_url, 50)
        with Ogel("worker", "webhooks", log=tmp_path / "worker2.log", **servers):
            sentinel = publish(api.api, 1, "sentinel")
            receiver.wait_for_ids(sentinel, 10)
        assert all(count == 1 for count in receiver.ids().values()), "delivered twice"


def test_what_outlasts_the_drain_is_given_back(tmp_path: Path, database_url: str, redis_url: str) -> None:
    servers = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OGEL_DRAIN_SECONDS": "1",
        "OGEL_LEASE_SECONDS": "60",
    }
    with slow_receiver(9.0) as receiver, Ogel("api", log=tmp_path / "api.log", **servers) as api:
        subscribe(api.api, receiver)
        worker = Ogel("worker", "webhooks", log=tmp_path / "worker.log", **servers).start()
        ids = publish(api.api, FIRST_SHARE, "late")
        receiver.wait_for_ids(ids, 10)
        assert worker.terminate(seconds=8) == 0
        receiver.answer = lambda _: Answer()
        # The lease would last a minute: that they come at once shows that they were given back.
        with Ogel("worker", "webhooks", log=tmp_path / "worker2.log", **servers):
            receiver.wait_for(lambda requests: len(requests) >= 2 * FIRST_SHARE, 10, "the second try")
            assert_nothing_left(database_url, FIRST_SHARE)
