"""Runbooks about servers that are away, full or crowded: each fault is caused, and each page followed to its end."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import redis

from ogel.adapters.embedded import running_urls
from tests.support.disk import fill, small_disk
from tests.support.night import ENDS, MENDED, QUIET, check_alerts, follow, raised, restart
from tests.support.process import ADMIN_KEY, Client, Ogel, eventually
from tests.support.reading import Reading
from tests.support.receiver import Receiver
from tests.support.relay import Relay

CROWDED = {**QUIET, "OGEL_ALERT_CONNECTIONS": "0.6"}
IMPATIENT = {"OGEL_USAGE_FLUSH_SECONDS": "1", "OGEL_POOL_TIMEOUT_SECONDS": "0.5"}
DOCTOR = {**ENDS, "ogel doctor": 1, "ogel doctor  # all is well": 0}
HOOK = "wh_01m8488xbxfkttz03623x3kycq"


class Place(NamedTuple):
    """A suite whose servers can be away, and an endpoint that is well."""

    ogel: Ogel
    postgres: Relay
    redis: Relay
    hook: str

    @property
    def api(self) -> Client:
        return self.ogel.api

    def health(self) -> str:
        status: str = self.api("GET", "/api/health").json["status"]
        return status


@pytest.fixture(scope="module")
def place(suite_servers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    log = tmp_path_factory.mktemp("servers") / "ogel.log"
    with (
        Relay(suite_servers["DATABASE_URL"]) as postgres,
        Relay(suite_servers["REDIS_URL"]) as redis,
        Receiver() as receiver,
    ):
        urls = {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
        with Ogel("api", "--with", "worker,scheduler,realtime", log=log, **urls, **CROWDED) as ogel:
            hook = ogel.api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["order.*"]})
            yield Place(ogel, postgres, redis, hook["id"])


def well(place: Place) -> None:
    eventually(lambda: place.health() == "healthy", 30, "health to be well again")
    eventually(lambda: place.api.ok("GET", "/api/workers")["items"], 30, "workers to be known again")


def test_redis_is_away_and_comes_back_full(
    place: Place, suite_servers: dict[str, str], tmp_path: Path
) -> None:
    with redis.Redis.from_url(suite_servers["REDIS_URL"]) as store:
        place.redis.away()
        eventually(lambda: place.health() == "degraded", 20, "health to be degraded")

        def back() -> None:
            store.flushall()
            store.config_set("maxmemory", "1")
            place.redis.back()
            check_alerts(place.api)
            assert raised(place.api) == {"redis.memory": "docs/runbooks/redis-away.md"}

        reading = Reading(
            instead={HOOK: place.hook},
            before={
                "railway restart": back,
                "ogel doctor  # all": lambda: well(place),
                MENDED: lambda: check_alerts(place.api),
            },
            ends={**DOCTOR, 'redis-cli -u "$REDIS_URL" PING': 1},
        )
        try:
            follow("redis-away.md", reading, tmp_path, place.ogel)
        finally:
            store.config_set("maxmemory", "0")


def test_the_database_is_away(place: Place, tmp_path: Path) -> None:
    place.postgres.away()
    eventually(lambda: place.health() == "unhealthy", 20, "health to be bad")
    reading = Reading(
        instead={HOOK: place.hook},
        before={
            "railway restart": place.postgres.back,
            "ogel doctor  # all": lambda: well(place),
            "ogel webhooks test": lambda: well(place),
        },
        ends=DOCTOR,
    )
    follow("database-away.md", reading, tmp_path, place.ogel)


def test_an_error_budget_burns(suite_servers: dict[str, str], tmp_path: Path) -> None:
    """While the database was away requests were answered 503; after it was back, as always."""
    settings = {**suite_servers, **QUIET, **IMPATIENT, "OGEL_SLO_ERRORS": "0.01"}
    with (
        Relay(suite_servers["DATABASE_URL"]) as postgres,
        psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection,
    ):
        settings["DATABASE_URL"] = postgres.url
        with Ogel("api", "--with", "worker,scheduler", log=tmp_path / "ogel.log", **settings) as ogel:
            api = ogel.api
            postgres.away()
            eventually(lambda: api("GET", "/api/health").status == 503, 20, "health to be bad")
            with ThreadPoolExecutor(20) as clients:
                asked = clients.map(lambda _: api("GET", "/api/events").status, range(20))
                assert set(asked) == {503}
            postgres.back()
            eventually(lambda: api("GET", "/health/ready").status == 200, 20, "it to be ready again")

            # Looked at once in half a minute; so not before they are counted.
            counted = "SELECT sum(bad) >= 20 FROM slo_deltas"
            eventually(lambda: connection.execute(counted).fetchone() == (True,), 20, "them to be counted")
            check_alerts(api)
            assert raised(api)["slo.burn.fast"] == "docs/runbooks/slo-burn.md"

            def days_later() -> None:
                ogel.terminate()
                connection.execute("TRUNCATE slo_deltas, slo_tallies")
                restart(ogel, tmp_path)
                check_alerts(api)

            reading = Reading(
                before={MENDED: days_later},
                ends={**DOCTOR, "ogel slo": 1},
                environment={"OGEL_URL": f"http://localhost:{ogel.port}", "OGEL_KEY": ADMIN_KEY},
            )
            follow("slo-burn.md", reading, tmp_path, ogel)


def test_the_database_has_no_connections_left(
    place: Place, suite_servers: dict[str, str], tmp_path: Path
) -> None:
    with ExitStack() as reports:

        def connect() -> psycopg.Connection[Any]:
            url = suite_servers["DATABASE_URL"]
            connection = psycopg.connect(url, application_name="reports")
            reports.callback(connection.close)
            return connection

        most = connect().execute("SHOW max_connections").fetchone()
        assert most is not None
        for _ in range(int(int(most[0]) * 0.6)):
            connect().execute("SELECT 1")
        check_alerts(place.api)
        assert raised(place.api) == {"database.connections": "docs/runbooks/database-slow.md"}
        reading = Reading(before={MENDED: lambda: check_alerts(place.api)}, ends={**DOCTOR, "ogel doctor": 0})
        follow("database-slow.md", reading, tmp_path, place.ogel)


@pytest.mark.long
def test_a_disk_is_full(tmp_path: Path) -> None:
    """The fault itself is met in each run: test_full_disk.py."""
    with small_disk(tmp_path / "disk", 160) as disk:
        settings = {**QUIET, "OGEL_DATA_DIR": str(disk / "data"), "OGEL_ALERT_DISK_FREE": "0.1"}
        with Ogel("up", log=tmp_path / "up.log", **settings) as ogel:
            api = ogel.api
            database, redis = running_urls(disk / "data")
            assert database and redis
            ogel.environment |= {"DATABASE_URL": database, "REDIS_URL": redis}
            fill(disk).rename(disk / "data" / "core")
            eventually(lambda: api("GET", "/api/health").status == 503, 20, "bad health")
            over = {
                each["name"]: each["runbook"]
                for each in api.ok("GET", "/api/alerts/check")["items"]
                if each["is_over"]
            }
            assert over == dict.fromkeys(("disk.free", "database.writes"), "docs/runbooks/disk-full.md")

            def roomy() -> None:
                eventually(lambda: api("GET", "/health/ready").status == 200, 30, "it to be ready again")

            reading = Reading(
                before={"ogel cleanup run": roomy, MENDED: lambda: check_alerts(api)}, ends=DOCTOR
            )
            follow("disk-full.md", reading, tmp_path, ogel)
