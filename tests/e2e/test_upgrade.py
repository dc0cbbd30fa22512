"""A data directory, and a backup, of the version before: all that was in them is there, and work goes on."""

from __future__ import annotations

from pathlib import Path

import psycopg

from ogel.adapters.embedded import running_urls
from tests.support import former
from tests.support.cli import ogel
from tests.support.process import ADMIN_KEY, SECRET, Client, Ogel, eventually
from tests.support.receiver import Receiver

ALL = {"former-0", "former-1", "former-2", "former-later"}


def schemas(url: str) -> dict[str, int]:
    """How many tables each has."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT schemaname, count(*) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') GROUP BY 1"
        )
        return dict(found.fetchall())


def deliver_to(receiver: Receiver, api: Client, count: int) -> set[str]:
    """Ids of the events that arrive once the paused endpoint is let go, each signed and with its sealed header."""
    to = {"url": receiver.url(), "state": "enabled"}
    api.ok("PATCH", f"/api/webhooks/{former.WEBHOOK}", to)
    requests = receiver.wait_for(lambda requests: len(requests) >= count, 30, "what was pending")
    name, value = former.WEBHOOK_HEADER
    assert all(request.headers[name] == value for request in requests)
    receiver.verify_all(former.WEBHOOK_SECRET)
    return {request.id for request in requests}


def test_a_data_directory_of_the_version_before_goes_on(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    former.make_data_dir(data_dir)
    with Receiver() as receiver, Ogel("up", log=tmp_path / "up.log", OGEL_DATA_DIR=str(data_dir)) as running:
        api, with_key = running.api, Client(running.port, former.KEY)
        assert schemas(running_urls(data_dir)[0] or "").keys() == {"ogel", "auth", "storage"}
        assert {id for id in ALL if with_key("GET", f"/api/events/{id}").status == 200} == ALL
        assert deliver_to(receiver, api, len(ALL)) == ALL
        assert api.ok("GET", f"/api/schedules/{former.SCHEDULE}")["cron"] == "0 3 1 1 *"
        [database] = api.ok("GET", "/api/databases")["items"]
        assert database["name"] == former.DATABASE
        actions = {each["action"] for each in api.ok("GET", "/api/audit-logs?limit=100")["items"]}
        assert {"webhook.create", "database.create", "key.create"} <= actions
        assert api("POST", f"/api/backups/{former.BACKUP}/verify").status == 202
        verified = eventually(
            lambda: (found := api.ok("GET", f"/api/backups/{former.BACKUP}"))["verified_at"] and found,
            30,
            "its verification",
        )
        assert (verified["verification"], verified["verification_error"]) == ("passed", None)
        # Published twice, it is still known.
        known = {"id": "former-0", "type": "order.created", "data": {"n": 0}}
        assert api.ok("POST", "/api/events", known) == {"id": "former-0", "deliveries": 1}
    assert '"migration.applied"' in (tmp_path / "up.log").read_text()


def test_a_backup_of_the_version_before_restores(
    tmp_path: Path, empty_database_url: str, redis_url: str
) -> None:
    data_dir = tmp_path / "data"
    former.copy_objects(data_dir)
    here = {"OGEL_DATA_DIR": str(data_dir), "OGEL_SECRET": SECRET, "OGEL_ADMIN_KEY": ADMIN_KEY}
    done = ogel("backup", "restore", former.BACKUP, **here, DATABASE_URL=empty_database_url)
    assert done.code == 0, done.err
    assert schemas(empty_database_url).keys() == {"ogel", "auth", "storage"}
    servers = {"DATABASE_URL": empty_database_url, "REDIS_URL": redis_url, "OGEL_DATA_DIR": str(data_dir)}
    with (
        Receiver() as receiver,
        Ogel("api", "--with", "worker", log=tmp_path / "ogel.log", **servers) as running,
    ):
        assert deliver_to(receiver, running.api, 3) == ALL - {"former-later"}  # published after it was made
