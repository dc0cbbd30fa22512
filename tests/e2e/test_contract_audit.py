"""The audit log as its users meet it: over HTTP, on the command line, by the clock, and after `kill -9`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

from tests.support.audit import seal
from tests.support.cli import Finished, ogel_here
from tests.support.process import SECRET, Client, Ogel, eventually

Run = Callable[..., Finished]


@pytest.fixture
def run(suite_servers: dict[str, str]) -> Run:
    def run(*arguments: str, **settings: str) -> Finished:
        with mock.patch("ogel.runtime.log.setup.configure_logging"):  # it is for whole processes
            return ogel_here("audit", *arguments, **{**suite_servers, "OGEL_SECRET": SECRET, **settings})

    return run


def test_records_are_sealed_by_the_clock_and_say_where_they_stand(
    suite_servers: dict[str, str], api: Client, run: Run
) -> None:
    ids = [api.ok("POST", "/api/events", {"type": "a.b", "data": n})["id"] for n in range(3)]
    fresh = api.ok("GET", f"/api/audit-logs?resource_id={ids[0]}")["items"][0]
    assert (fresh["seq"], fresh["hash"]) == (None, None)
    seal(api, suite_servers["DATABASE_URL"])
    found = [api.ok("GET", f"/api/audit-logs?resource_id={id}")["items"][0] for id in ids]
    assert found[0]["seq"] < found[1]["seq"] < found[2]["seq"]
    assert all(len(bytes.fromhex(each["hash"])) == 32 for each in found)
    schedules = {each["name"]: each["cron"] for each in api.ok("GET", "/api/schedules?limit=100")["items"]}
    assert schedules["audit.seal"] == "* * * * *"

    verified = run("verify")
    assert (verified.code, verified.err) == (0, "")
    assert " are as they were sealed, 1 to " in verified.out
    assert json.loads(run("verify", "--json").out)["ok"] is True

    listed = run("list", "--action", "event.publish", "--limit", "2")
    assert ids[2] in listed.out
    assert "there are more" in listed.err
    page = json.loads(run("list", "--resource", ids[1], "--json").out)
    assert [record["resource_id"] for record in page["items"]] == [ids[1]]


def test_an_export_is_complete_and_can_be_verified_without_a_server(
    suite_servers: dict[str, str], api: Client, run: Run, tmp_path: Path
) -> None:
    api.ok("POST", "/api/events", {"type": "a.b", "data": 0})
    seal(api, suite_servers["DATABASE_URL"])
    file = tmp_path / "audit.ndjson"
    done = run("export", "--since", "1h", "--output", str(file))
    assert done.code == 0, done.err
    lines = file.read_bytes().splitlines()
    assert done.err == f"{len(lines)} records exported\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["audit.ndjson"]
    first = json.loads(lines[0])
    assert {"seq", "hash", "previous", "id", "actor", "action", "metadata", "created_at"} <= set(first)
    [record] = api.ok("GET", "/api/audit-logs?action=audit.export&limit=1")["items"]
    assert record["actor"].startswith("cli:")

    nothing = {"DATABASE_URL": "", "REDIS_URL": "", "OGEL_SECRET": ""}
    checked = run("verify", "--file", str(file), **nothing)
    assert (checked.code, checked.err) == (0, "")
    assert f"head {len(lines)} {json.loads(lines[-1])['hash']}" in checked.out
    tampered = tmp_path / "tampered.ndjson"
    tampered.write_bytes(b"\n".join([lines[0].replace(b"admin", b"mallory"), *lines[1:], b""]))
    refused = run("verify", "--file", str(tampered), **nothing)
    assert refused.code == 1
    assert f"BROKEN at 1 ({first['id']}): altered" in refused.out
    tampered.write_text("{}")
    wrong = run("verify", "--file", str(tampered), **nothing)
    assert wrong.code == 2
    assert "Line 1 is no record" in wrong.err


def test_tampering_is_exit_1_and_names_the_record(servers: Any, database_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": servers.redis_url}
    with Ogel("api", "--with", "worker", log=tmp_path / "ogel.log", **settings) as ogel:
        ids = [ogel.api.ok("POST", "/api/events", {"type": "a.b", "data": n})["id"] for n in range(5)]
        seal(ogel.api, database_url)
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE audit_logs SET actor = 'mallory' WHERE resource_id = %s", (ids[2],))
        with mock.patch("ogel.runtime.log.setup.configure_logging"):
            found = ogel_here("audit", "verify", OGEL_SECRET=SECRET, **settings)
            assert found.code == 1
            assert "BROKEN at 3 (aud_" in found.out
            assert "altered" in found.out
            broken = json.loads(ogel_here("audit", "verify", "--json", OGEL_SECRET=SECRET, **settings).out)[
                "broken"
            ]
            assert (broken["fault"], broken["seq"]) == ("altered", 3)
            other = ogel_here("audit", "verify", OGEL_SECRET="x" * 24, **settings)
            assert other.code == 1
            assert "head of the audit chain cannot be opened" in other.out


def test_mistakes_on_the_command_line_are_one_line(run: Run, tmp_path: Path) -> None:
    for arguments, code, said in (
        (("export",), 2, "--since"),
        (("export", "--since", "soon"), 2, "neither a time"),
        (("export", "--since", "1d", "--output", str(tmp_path / "no" / "file")), 2, "cannot be written"),
        (("verify", "--file", str(tmp_path / "none")), 2, "does not exist"),
        (("list", "--actor", "a\x1bb"), 2, "printable"),
        (("list", "--actor", "a\udcffb"), 2, "printable"),
    ):
        refused = run(*arguments)
        assert refused.code == code, refused.err
        assert said in refused.err
        assert "Traceback" not in refused.err
    assert run("verify", OGEL_SECRET="").code == 2


def test_kill_9_in_the_middle_of_sealing(servers: Any, database_url: str, tmp_path: Path) -> None:
    """What was sealed stays sealed, and the next worker goes on behind it."""
    many = 8_000
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO audit_logs (id, actor, action, resource_type, resource_id, created_at)"
            " SELECT 'aud_' || lpad(n::text, 6, '0'), 'x', 'x', 'x', 'x', now() - interval '1 hour'"
            " FROM generate_series(1, %s) AS n",
            (many,),
        )
    settings = {"DATABASE_URL": database_url, "REDIS_URL": servers.redis_url, "OGEL_LEASE_SECONDS": "1"}

    def sealed() -> int:
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT count(*) FROM audit_logs WHERE chain_seq IS NOT NULL").fetchone()
        assert row is not None
        return int(row[0])

    with Ogel("api", "--with", "worker", log=tmp_path / "first.log", **settings) as first:
        first.api.ok("POST", "/api/schedules/audit.seal/run")
        eventually(sealed, 10, "the first batches")
        first.kill()
    assert 0 < sealed() < many
    with Ogel("worker", "audit", log=tmp_path / "second.log", **settings):
        eventually(lambda: sealed() >= many, 30, "the rest to be sealed")
    with mock.patch("ogel.runtime.log.setup.configure_logging"):
        verdict = json.loads(ogel_here("audit", "verify", "--json", OGEL_SECRET=SECRET, **settings).out)
    assert (verdict["broken"], verdict["records"]) == (None, sealed())
