"""
Runbooks about moving all there is: to another PostgreSQL, to another place. What Railway itself does (a volume that is
moved, a service in another region) is not caused here; the data moves for real, and everything works afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ogel.adapters.embedded import EmbeddedServers
from ogel.adapters.embedded.binaries import find_postgres
from tests.support.cli import ogel as finished
from tests.support.night import follow, restart
from tests.support.process import ADMIN_KEY, Ogel, eventually
from tests.support.reading import Reading

pytestmark = pytest.mark.long

ROLES = ("api", "--with", "worker,scheduler,realtime")


def other_postgres() -> Path:
    """Of another major version, where Debian has one (`apt-get install postgresql-15`); else the same stands for it."""
    found = sorted(Path("/usr/lib/postgresql").glob("1[4-7]/bin/initdb"))
    return found[-1].parent if found else find_postgres(None)


@contextmanager
def old_server(at: Path) -> Iterator[str]:
    with EmbeddedServers.start(at, redis=False, postgres_bin=other_postgres()) as servers:
        assert servers.database_url is not None
        yield servers.database_url


def test_postgres_is_raised_to_another_version(
    empty_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    with old_server(old) as url:
        ogel = Ogel(*ROLES, log=tmp_path / "ogel.log", DATABASE_URL=url, REDIS_URL=redis_url)
        with ogel, psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE public.orders (id int PRIMARY KEY)")
            connection.execute("INSERT INTO public.orders VALUES (1), (2)")
            hook = {"url": "https://shop.example.com/", "events": ["order.*"]}
            kept = ogel.api.ok("POST", "/api/webhooks", hook)["id"]
            reading = Reading(
                before={
                    "railway down --service api": lambda: ogel.terminate(),
                    "railway variable set 'DATABASE_URL=${{Postgres18.DATABASE_URL}}' --service api": lambda: (
                        restart(ogel, tmp_path, DATABASE_URL=empty_database_url)
                    ),
                },
                environment={
                    "NEW_DATABASE_URL": empty_database_url,
                    "OGEL_DATA_DIR": str(tmp_path / ".ogel"),
                    "OGEL_KEY": ADMIN_KEY,
                    "OGEL_URL": f"http://localhost:{ogel.port}",
                },
            )
            follow("postgres-upgrade.md", reading, tmp_path, ogel)
            assert ogel.api.ok("GET", f"/api/webhooks/{kept}")["state"] == "enabled"
        with psycopg.connect(empty_database_url) as connection:
            assert connection.execute("SELECT count(*) FROM public.orders").fetchone() == (2,)
            now = connection.info.server_version // 10000
    # And what happens to who raises it without this.
    if f"/{now}/" not in str(other_postgres()) and other_postgres() != find_postgres(None):
        refused = finished("up", OGEL_DATA_DIR=str(old), PORT="0")
        assert refused.code == 2
        assert "made by PostgreSQL" in refused.err


def test_everything_moves_to_another_place(database_url: str, redis_url: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    there.mkdir()
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_DATA_DIR": str(here)}
    with Ogel(*ROLES, log=tmp_path / "ogel.log", **settings) as ogel:
        assert ogel.api("POST", "/storage/v1/bucket", {"id": "photos", "name": "photos"}).status == 200
        picture = ogel.api("POST", "/storage/v1/object/photos/a.bin", raw=os.urandom(100_000))
        assert picture.status == 200
        backup = ogel.api.ok("POST", "/api/backups", {"note": "last night"})["id"]
        path = f"/api/backups/{backup}"
        eventually(lambda: ogel.api.ok("GET", path)["status"] == "complete", 30, "the backup")

        def move() -> None:
            """As Railway takes a service and its volume elsewhere: it ends here and begins there, with all it had."""
            assert ogel.terminate() == 0

        reading = Reading(
            before={
                "railway scale us-west2=0 europe-west4-drams3a=1 --service worker": move,
                "ogel doctor": lambda: restart(ogel, tmp_path, OGEL_DATA_DIR=str(there)),
            },
            environment={
                "NEW_DATA_DIR": str(there),
                "OGEL_KEY": ADMIN_KEY,
                "OGEL_URL": f"http://localhost:{ogel.port}",
            },
        )
        follow("moving-region.md", reading, tmp_path, ogel)
        answer = ogel.api("GET", "/storage/v1/object/photos/a.bin")
        assert (answer.status, len(answer.raw)) == (200, 100_000)
