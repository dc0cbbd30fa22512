"""Backups at the door: made over HTTP, kept on a disk or in a bucket, restored elsewhere, and then the same suite."""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from standardwebhooks import Webhook

from tests.support.cli import Finished, ogel, ogel_here
from tests.support.contract import all_pages, assert_problem, settled
from tests.support.on_terminal import OnTerminal
from tests.support.process import SECRET, Client, Ogel, eventually
from tests.support.receiver import Receiver
from tests.support.seaweed import Seaweed

KEEP = 2
REFRESH = "/auth/v1/token?grant_type=refresh_token"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


# That an S3 service does what a disk does is shown in tests/integration/test_object_stores.py.
@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.long)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    environment = {"OGEL_DATA_DIR": str(tmp_path / "data")}
    if request.param == "s3":
        environment |= request.getfixturevalue("seaweed").environment
    return environment


@contextmanager
def started(tmp_path: Path, database_url: str, redis_url: str, **more: str) -> Iterator[Ogel]:
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **more}
    with Ogel("api", "--with", "worker", log=tmp_path / "ogel.log", **environment) as running:
        yield running


def completed(api: Client, id: str, seconds: float = 30.0) -> Any:
    found = ended(api, id, seconds)
    assert found["status"] == "complete", found
    return found


def ended(api: Client, id: str, seconds: float = 30.0) -> Any:
    return eventually(
        lambda: (found := api.ok("GET", f"/api/backups/{id}"))["status"] != "running" and found,
        seconds,
        f"{id} to end",
    )


def verified(api: Client, id: str) -> Any:
    assert api("POST", f"/api/backups/{id}/verify").status == 202
    return eventually(
        lambda: (found := api.ok("GET", f"/api/backups/{id}"))["verified_at"] and found,
        20,
        "its verification",
    )


def fill(database_url: str, events: int, characters: int = 2000) -> None:
    """Rows that do not compress, written without the suite."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO events (id, type, data) SELECT 'filled-' || n, 'filled.up', to_json("
            "(SELECT string_agg(md5(n::text || m::text), '') FROM generate_series(1, %s) AS m))"
            " FROM generate_series(1, %s) AS n ON CONFLICT DO NOTHING",
            (characters // 32, events),
        )


def command(*arguments: str, **settings: str) -> Finished:
    """`ogel backup …` in this process."""
    with mock.patch("ogel.runtime.log.setup.configure_logging"):  # it is for whole processes
        return ogel_here("backup", *arguments, **settings)


def restore(source: str, url: str, store: dict[str, str], **more: str) -> Finished:
    settings = {"OGEL_SECRET": SECRET, **store, **more, **password(url)}
    return ogel("backup", "restore", source, *into(url), "--json", **settings)


def into(url: str) -> list[str]:
    """The password is no part of the command: it stands in a variable."""
    bare = urlsplit(url)
    place = f"{bare.username}@{bare.netloc.rpartition('@')[2]}"
    return ["--into", urlunsplit(bare._replace(netloc=place)), "--password-from", "RESTORE_PASSWORD"]


def password(url: str) -> dict[str, str]:
    return {"RESTORE_PASSWORD": urlsplit(url).password or ""}


def refused(finished: Finished, code: int, *words: str) -> None:
    """One clear line."""
    assert finished.code == code, finished
    line = finished.err.strip().splitlines()[-1]
    assert all(word in line for word in words), line
    assert "Traceback" not in finished.err
    assert finished.out == ""


def seen(api: Client) -> dict[str, Any]:
    """What must be the same before and after."""
    return {
        path: all_pages(api, path, 100)
        for path in ("/api/webhooks", "/api/events", "/api/deliveries", "/api/backups", "/api/replays")
    }


def test_what_is_restored_is_the_same_suite(
    database_url: str,
    empty_database_url: str,
    redis_url: str,
    store: dict[str, str],
    tmp_path: Path,
    receiver: Receiver,
) -> None:
    made = ogel("keys", "create", "shop", "--scope", "events:*", "--json", DATABASE_URL=database_url)
    key = json.loads(made.out)["key"]
    with started(tmp_path, database_url, redis_url, **store) as first:
        api = first.api
        hook = api.ok("POST", "/api/webhooks", {"url": receiver.url("/a"), "events": ["order.*"],
                                                "headers": {"authorization": "Bearer hunter2"}})  # fmt: skip
        paused = api.ok("POST", "/api/webhooks", {"url": receiver.url("/b"), "events": ["later.*"]})
        api.ok("PATCH", f"/api/webhooks/{paused['id']}", {"state": "paused"})
        delivered = api.ok("POST", "/api/events", {"type": "order.created", "data": {"ä": "1\n\\N\t"}})["id"]
        settled(api, delivered, "delivered")
        waiting = [
            api.ok("POST", "/api/events", {"type": "later.one", "data": n, "id": f"later-{n}"})["id"]
            for n in range(3)
        ]
        ada = {"email": "ada@example.com", "password": "correct horse battery"}
        signed_in = api.ok("POST", "/auth/v1/signup", ada)
        fill(database_url, 2500)
        answer = api("POST", "/api/backups", {"note": "before the move"})
        assert answer.status == 202
        backup = answer.json
        assert backup["id"].startswith("bak_")
        assert (backup["status"], backup["note"], backup["scheduled"]) == (
            "running",
            "before the move",
            False,
        )
        done = completed(api, backup["id"])
        assert done["rows"] > 2500 and done["tables"] > 10
        assert done["bytes"] > 2500 * 1900 and 2500 * 500 < done["size"] < done["bytes"]
        assert (done["error"], done["verification"]) == (None, None)
        [event] = api.ok("GET", "/api/events?type=backup.completed")["items"]
        assert (event["subject"], event["data"]["rows"]) == (backup["id"], done["rows"])

        checked = verified(api, backup["id"])
        assert (checked["verification"], checked["verification_error"]) == ("passed", None)
        before = seen(api)
        refreshed = api.ok("POST", REFRESH, {"refresh_token": signed_in["refresh_token"]})
    receiver.requests.clear()

    finished = restore(backup["id"], empty_database_url, store)
    assert finished.code == 0, finished
    report = json.loads(finished.out)
    assert (report["backup"], report["rows"], report["not_ours"]) == (backup["id"], done["rows"], [])

    with started(tmp_path, empty_database_url, redis_url, **store) as second:
        api = second.api
        after = seen(api)
        # What was written after the snapshot is not in it.
        events = [each for each in before["/api/events"] if each["type"] != "backup.completed"]
        assert after["/api/events"] == events
        for path in ("/api/webhooks", "/api/deliveries", "/api/replays"):
            assert after[path] == before[path]
        [restored] = after["/api/backups"]
        assert (restored["status"], restored["rows"], restored["size"]) == (
            "complete",
            done["rows"],
            done["size"],
        )
        assert api("GET", "/api/events", key=key).status == 200
        assert_problem(api("GET", "/api/webhooks", key=key), 403)
        [audited] = api.ok("GET", "/api/audit-logs?action=backup.restore")["items"]
        assert audited["resource_id"] == backup["id"]
        # People are who they were, and still signed in, with what they were given after the snapshot, too.
        user = Client(api.port, key=signed_in["access_token"]).ok("GET", "/auth/v1/user")
        assert user["id"] == signed_in["user"]["id"]
        for token in (signed_in["refresh_token"], refreshed["refresh_token"]):
            assert api.ok("POST", REFRESH, {"refresh_token": token})["user"]["id"] == user["id"]
        assert api.ok("POST", "/auth/v1/token?grant_type=password", ada)["user"]["id"] == user["id"]
        # What waited still does, until its owner says otherwise; and it is signed with the secret of old.
        assert receiver.requests == []
        api.ok("PATCH", f"/api/webhooks/{paused['id']}", {"state": "enabled"})
        receiver.wait_for_ids(waiting, 15)
        for request in receiver.requests:
            Webhook(paused["secret"]).verify(request.body, request.headers)
        # A published id is still known, and another event goes where it went before, with the sealed header.
        assert (
            api.ok("POST", "/api/events", {"type": "order.created", "data": 2, "id": delivered})["deliveries"]
            == 1
        )
        again = api.ok("POST", "/api/events", {"type": "order.created", "data": 3})["id"]
        [request] = [each for each in receiver.wait_for_ids([again], 15) if each.path == "/a"]
        Webhook(hook["secret"]).verify(request.body, request.headers)
        assert request.headers["authorization"] == "Bearer hunter2"
        assert api.ok("GET", "/api/jobs?status=dead")["items"] == []
        # The store is the same one, too: another backup and the former one.
        completed(api, api.ok("POST", "/api/backups")["id"])
        assert api("DELETE", f"/api/backups/{backup['id']}").status == 204
        assert_problem(api("GET", f"/api/backups/{backup['id']}"), 404)
        listed = eventually(
            lambda: len(found := stored(store)) == 1 and found, 15, "the objects of the first to be gone"
        )
        assert listed[0]["id"] != backup["id"]


def stored(store: dict[str, str]) -> Any:
    items = json.loads(command("list", "--stored", "--json", OGEL_SECRET=SECRET, **store).out)["items"]
    return [each for each in items if each["status"] == "complete"]


def test_a_worker_killed_in_the_middle_ends_with_one_whole_backup(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    store = {"OGEL_DATA_DIR": str(tmp_path / "data")}
    folder = tmp_path / "data" / "storage" / "backups"
    fill(database_url, 15_000)
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_LEASE_SECONDS": "1", **store}
    with Ogel("api", log=tmp_path / "api.log", **servers) as suite:
        id = suite.api.ok("POST", "/api/backups")["id"]
        for _ in range(2):
            worker = Ogel("worker", "backups", log=tmp_path / "worker.log", **servers).start()
            known = set(files(tmp_path / "data"))
            eventually(lambda known=known: any(
                path.name.startswith("events.") for path in set(files(tmp_path / "data")) - known
            ), 30, "chunks of a new run")  # fmt: skip
            worker.kill()
            assert suite.api.ok("GET", f"/api/backups/{id}")["status"] == "running"
            assert not list(folder.rglob("manifest.json"))
        with Ogel("worker", "backups", log=tmp_path / "worker.log", **servers):
            assert completed(suite.api, id)["rows"] > 15_000
            assert verified(suite.api, id)["verification"] == "passed"
            eventually(
                lambda: suite.api.ok("GET", "/api/jobs?queue=backups")["items"] == [], 10, "its job to end"
            )
        # One run, and nothing of those that were broken off.
        runs = {path.name for path in (folder / id).iterdir()} - {"manifest.json"}
        assert len(runs) == 1
    with psycopg.connect(database_url) as connection:
        [(snapshots,)] = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_xmin IS NOT NULL"
            " AND pid <> pg_backend_pid() AND state <> 'active'"
        ).fetchall()
    assert snapshots == 0


def test_a_store_that_is_away_is_tried_again(
    database_url: str, redis_url: str, tmp_path: Path, seaweed: Seaweed
) -> None:
    """First it refuses, and the job says so; then it is there."""
    wrong = {**seaweed.environment, "S3_SECRET_KEY": "another"}
    with started(tmp_path, database_url, redis_url, **wrong) as suite:
        id = suite.api.ok("POST", "/api/backups", {})["id"]
        failing = eventually(
            lambda: (found := suite.api.ok("GET", f"/api/backups/{id}"))["error"] and found, 15, "its error"
        )
        assert failing["status"] == "running" and "SignatureDoesNotMatch" in failing["error"]
        [job] = suite.api.ok("GET", "/api/jobs?queue=backups")["items"]
        assert job["kind"] == "backups.create" and "SignatureDoesNotMatch" in job["last_error"]
        assert_problem(suite.api("POST", "/api/backups"), 409)
    with started(tmp_path, database_url, redis_url, **seaweed.environment) as suite:
        suite.api("POST", f"/api/jobs/{job['id']}/retry")  # refused if it is due by itself just now
        assert completed(suite.api, id)["error"] is None
        suite.api.ok("DELETE", f"/api/backups/{id}")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def module_suite(
    suite_servers: dict[str, str], data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ogel]:
    """One suite for all tests from here on."""
    more = {
        "OGEL_DATA_DIR": str(data_dir),
        "OGEL_SCHEDULES": "backups.create=on",
        "OGEL_BACKUP_KEEP": str(KEEP),
    }
    log = tmp_path_factory.mktemp("suite") / "ogel.log"
    with Ogel("api", "--with", "worker", log=log, **suite_servers, **more) as started:
        yield started


@pytest.fixture
def suite(module_suite: Ogel, data_dir: Path) -> Iterator[Ogel]:
    yield module_suite
    for each in all_pages(module_suite.api, "/api/backups", 100):
        module_suite.api.ok("DELETE", f"/api/backups/{each['id']}")
    eventually(lambda: files(data_dir) == [], 15, "their objects to be gone")


def files(data_dir: Path) -> list[Path]:
    """pathlib's own rglob minds directories that go away meanwhile."""
    return [Path(folder, name) for folder, _, names in os.walk(data_dir / "storage") for name in names]


def no_jobs(api: Client) -> bool:
    return bool(api.ok("GET", "/api/jobs?queue=backups")["items"] == [])


def test_wrong_input_is_named(api: Client) -> None:
    for wrong, field in (
        ({"note": 7}, "body.note"),
        ({"note": "x" * 501}, "body.note"),
        ({"note": "a\x00b"}, "body.note"),
        ({"tables": ["events"]}, "body.tables"),
    ):
        assert_problem(api("POST", "/api/backups", wrong), 422, field)
    assert_problem(api("GET", "/api/backups?status=done"), 422, "query.status")
    assert_problem(api("GET", "/api/backups/bak_none"), 404)
    assert_problem(api("POST", "/api/backups/bak_none/verify"), 404)
    assert_problem(api("DELETE", "/api/backups/..%2F..%2Fetc"), 404)
    assert_problem(api("POST", "/api/backups", key=""), 401)


def test_a_schedule_makes_them_and_keeps_the_newest(api: Client, data_dir: Path) -> None:
    mine = api("POST", "/api/backups", raw=b"").json["id"]
    completed(api, mine)
    for _ in range(KEEP + 1):
        known = {each["id"] for each in all_pages(api, "/api/backups", 10)}
        api.ok("POST", "/api/schedules/backups.create/run")
        [new] = eventually(
            lambda known=known: {e["id"] for e in all_pages(api, "/api/backups", 10)} - known, 10, "a new one"
        )
        assert completed(api, new)["scheduled"] is True
    left = all_pages(api, "/api/backups", 10)
    assert [each["scheduled"] for each in left] == [True] * KEEP + [False]
    assert left[-1]["id"] == mine
    ids = {each["id"] for each in left}
    folder = data_dir / "storage" / "backups"
    eventually(lambda: {path.name for path in folder.iterdir()} == ids, 10, "the oldest to go")


def test_damage_is_found_by_verifying(api: Client, data_dir: Path) -> None:
    id = api.ok("POST", "/api/backups", {})["id"]
    completed(api, id)
    [chunk] = (data_dir / "storage" / "backups" / id).rglob("audit_logs.*")
    chunk.unlink()
    found = verified(api, id)
    assert found["verification"] == "failed" and "audit_logs.000000 is missing" in found["verification_error"]
    assert found["status"] == "complete"


def test_the_command_line_says_what_the_api_says(
    api: Client, suite_servers: dict[str, str], data_dir: Path, empty_database_url: str, tmp_path: Path
) -> None:
    here = {**suite_servers, "OGEL_DATA_DIR": str(data_dir), "OGEL_SECRET": SECRET}
    here |= password(empty_database_url)
    made = command("create", "--note", "by\x1b[31m hand", "--json", **here)
    assert (made.code, made.err) == (0, "")
    backup = json.loads(made.out)
    id = backup["id"]
    assert backup == api.ok("GET", f"/api/backups/{id}")
    assert json.loads(command("show", id, "--json", **here).out) == backup
    assert json.loads(command("list", "--json", **here).out) == {"items": [backup], "next": None}
    shown = command("show", id, **here).out
    assert "complete" in shown
    assert "\x1b" not in shown and "by\\x1b[31m hand" in shown
    assert id in command("list", **here).out and id in command("list", "--stored", **here).out
    verified = command("verify", id, "--json", **here)
    assert (verified.code, json.loads(verified.out)["verification"]) == (0, "passed")

    folder = data_dir / "storage" / "backups" / id
    done = command("restore", str(folder / "manifest.json"), *into(empty_database_url), **here)
    assert done.code == 0 and f"{id} restored in" in done.out
    refused(command("restore", id, *into(empty_database_url), **here), 1, "not empty", "overwrites nothing")
    other = {**here, "OGEL_SECRET": "another-secret-0123456789"}
    refused(
        command("restore", id, *into(empty_database_url), **other),
        1,
        "sealed under the key",
        "OGEL_SECRET",
    )
    [unusable] = json.loads(command("list", "--stored", "--json", **other).out)["items"]
    assert (unusable["id"], unusable["status"]) == (id, "unusable")
    none = "bak_01m87gg7ppesfsv313xt0yzp29"
    refused(
        command("restore", none, *into(empty_database_url), **here),
        1,
        f"There is no backups/{none}/manifest",
    )
    refused(command("restore", "bak_1", **here), 2, "neither the id of a backup (bak_…) nor a directory")
    refused(command("restore", id, "--into", "mysql://x", **here), 2, "it takes postgresql://")
    refused(
        command(
            "restore",
            id,
            *into(empty_database_url),
            OGEL_DATA_DIR=str(data_dir),
            **password(empty_database_url),
        ),
        2,
        "OGEL_SECRET",
    )
    nowhere = {"OGEL_DATA_DIR": str(tmp_path / "new")}
    refused(
        command("restore", str(folder), **nowhere), 2, "OGEL_SECRET is not set, and", "former OGEL_DATA_DIR"
    )
    refused(command("create", "--note", "x" * 501, **here), 2, "500 characters at most")
    refused(command("show", none, **here), 1, f"No backup '{none}'")
    refused(command("show", "../..", **here), 2, "is no id")

    for path in folder.rglob("audit_logs.*"):
        path.unlink()
    assert command("verify", id, "--json", **here).code == 1
    assert command("delete", id, **here).out == f"{id} deleted\n"
    refused(command("delete", id, **here), 1, f"No backup '{id}'")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--into", "postgresql://ogel:hunter2@127.0.0.1:1/x"],
            "a password does not belong on a command line",
        ),
        (
            ["--into", "postgresql://ogel@127.0.0.1:1/x?password=hunter2"],
            "a password does not belong on a command line",
        ),
        (
            ["--into", "postgresql://ogel@127.0.0.1:1/x", "--password-from", "NOT_SET"],
            "--password-from: the variable",
        ),
        (
            ["--into", "postgresql://ogel@127.0.0.1:1/x", "--password-from", "EMPTY"],
            "--password-from: the variable",
        ),
        (["--into", "postgresql://ogel@127.0.0.1:1/x", "--password-from", "SET"], "ogel: --into: "),
        (["--into", "postgresql://ogel@no-such-host.invalid/x"], "ogel: --into: "),
        (["--into", "mysql://x"], "'--into'"),
        (["--password-from", "SET"], "--password-from goes with --into"),
    ],
)
def test_what_is_wrong_with_the_target_is_said_of_into(
    arguments: list[str], said: str, tmp_path: Path, suite_servers: dict[str, str]
) -> None:
    here = {
        **suite_servers,
        "OGEL_SECRET": SECRET,
        "EMPTY": "",
        "SET": "hunter2",
        "OGEL_CONNECT_SECONDS": "1",
    }
    (tmp_path / "manifest.json").write_text("{}")
    finished = command("restore", str(tmp_path), *arguments, **here)
    assert finished.code == 2 and said in finished.err
    assert "hunter2" not in finished.err and "DATABASE_URL" not in finished.err


def test_the_targets_password_is_asked_for_on_a_terminal(
    tmp_path: Path, suite_servers: dict[str, str]
) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    environment = {**suite_servers, "OGEL_SECRET": SECRET, "PYTHONPATH": str(Path(__file__).parents[2])}
    target = into(suite_servers["DATABASE_URL"])[:2]
    restoring = [sys.executable, "-m", "ogel", "backup", "restore", str(tmp_path), *target]
    with OnTerminal(restoring, environment) as terminal:
        terminal.until(lambda written: "Password for ogel@127.0.0.1" in written)
        terminal.type("wrong-hunter2\n")
        written = terminal.end()
    assert "hunter2" not in written
    assert "--into: " in written and "password authentication failed" in written


def test_into_the_embedded_database_of_another_directory(
    api: Client, suite_servers: dict[str, str], data_dir: Path, tmp_path: Path
) -> None:
    """What somebody does who has lost the machine and kept the directory of backups, and the secret."""
    id = api.ok("POST", "/api/backups")["id"]
    rows = completed(api, id)["rows"]
    new = tmp_path / "new"
    new.mkdir(mode=0o700)
    (new / "secret").write_text(SECRET)
    (new / "secret").chmod(0o600)
    source = str(data_dir / "storage" / "backups" / id)
    finished = ogel("backup", "restore", source, OGEL_DATA_DIR=str(new))
    assert finished.code == 0, finished
    assert re.search(rf"^rows +{rows}$", finished.out, re.MULTILINE)
    assert "makes a new admin key" in finished.out
    again = ogel("backup", "restore", source, OGEL_DATA_DIR=str(new))
    assert again.code == 1 and "not empty" in again.err


def test_deleting_a_running_backup_stops_it(
    api: Client, suite_servers: dict[str, str], data_dir: Path
) -> None:
    fill(suite_servers["DATABASE_URL"], 15_000)
    running = api.ok("POST", "/api/backups")["id"]
    second = assert_problem(api("POST", "/api/backups"), 409)
    assert running in second["detail"]
    assert_problem(api("POST", f"/api/backups/{running}/verify"), 409)
    eventually(
        lambda: [path for path in files(data_dir) if path.name.startswith("events")], 15, "its first chunks"
    )
    assert api("DELETE", f"/api/backups/{running}").status == 204
    assert_problem(api("DELETE", f"/api/backups/{running}"), 404)
    eventually(lambda: no_jobs(api), 20, "its jobs to end")
    assert files(data_dir) == []
    actions = [each["action"] for each in api.ok("GET", f"/api/audit-logs?resource_id={running}")["items"]]
    assert actions == ["backup.delete", "backup.create"]


def test_a_full_disk_fails_and_leaves_nothing(
    suite: Ogel, suite_servers: dict[str, str], data_dir: Path
) -> None:
    """RLIMIT_FSIZE stands for the disk: whatever is longer than 200 kB does not fit."""
    api = suite.api
    fill(suite_servers["DATABASE_URL"], 3000)
    limit_files(suite, 200_000)
    id = api.ok("POST", "/api/backups")["id"]
    failed = ended(api, id)
    assert failed["status"] == "failed"
    assert "has no room left" in failed["error"]
    [event] = api.ok("GET", "/api/events?type=backup.failed")["items"]
    assert event["data"] == {"backup": id, "error": failed["error"]}
    [job] = api.ok("GET", "/api/jobs?queue=backups&status=dead")["items"]
    assert job["payload"] == {"backup": id}
    eventually(lambda: files(data_dir) == [], 10, "all of it to be gone")
    assert_problem(api("POST", f"/api/backups/{id}/verify"), 409)
    # With room, the dead job is revived and makes the same backup.
    limit_files(suite, None)
    api.ok("POST", f"/api/jobs/{job['id']}/retry")
    assert completed(api, id)["id"] == id


def limit_files(suite: Ogel, size: int | None) -> None:
    assert suite.process is not None
    _, hard = resource.prlimit(suite.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(suite.process.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))
