"""/api/databases/{id}/migrations: SQL files applied to a database that is not ours, each once, whatever dies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from tests.support.contract import all_pages, assert_problem
from tests.support.outside import Outside, an_outside_database, register
from tests.support.process import Client, Ogel, eventually, free_port

FIRST = ("0001_create_orders.sql", "CREATE TABLE orders (id int PRIMARY KEY, note text);")
SECOND = ("0002_fill.sql", "INSERT INTO orders SELECT n, 'é' FROM generate_series(1, 10) AS n;")
THIRD = ("0003_more.sql", "ALTER TABLE orders ADD COLUMN more int;")
# Waits until someone writes into `gate`; broken off and begun again after that, it does not wait at all.
GATED = (
    "0002_gated.sql",
    "CREATE TABLE half (a int); INSERT INTO half VALUES (1);"
    " SELECT pg_sleep(CASE WHEN EXISTS (SELECT FROM gate) THEN 0 ELSE 60 END);",
)


@pytest.fixture
def outside(suite_servers: dict[str, str]) -> Iterator[Outside]:
    with an_outside_database(suite_servers["DATABASE_URL"]) as outside:
        yield outside


@pytest.fixture
def one(api: Client, outside: Outside) -> Iterator[str]:
    """The path of the registered database."""
    path = f"/api/databases/{register(api, **outside.parts)['id']}"
    yield path
    api.ok("DELETE", path)


def files(*named: Sequence[str]) -> dict[str, Any]:
    return {"files": [{"name": name, "sql": sql} for name, sql in named]}


def ended(api: Client, one: str, run: Any, status: str, seconds: float = 20.0) -> Any:
    return eventually(
        lambda: (
            (
                (found := api.ok("GET", f"{one}/migrations/{run['id']}"))["status"] != "running"
                or status == "running"
            )
            and found
        ),
        seconds,
        f"{run['id']} to end",
    )


def migrated(api: Client, one: str, status: str, *named: Sequence[str]) -> Any:
    answer = api("POST", one + "/migrations", files(*named))
    assert answer.status == 202, answer.raw
    run = ended(api, one, answer.json, status)
    assert run["status"] == status, run
    return run


def log_of(outside: Outside) -> list[str]:
    return [name for (name,) in outside.rows("SELECT name FROM ogel_migrations ORDER BY name")]


def told(api: Client, type: str, one: str) -> list[Any]:
    return [
        event["data"]
        for event in all_pages(api, "/api/events", 100, type=type, subject=one.rpartition("/")[2])
    ]


def test_files_are_applied_in_order_and_once(api: Client, one: str, outside: Outside) -> None:
    plan = api("POST", one + "/migrations", {**files(SECOND, FIRST), "dry_run": True})
    assert plan.status == 200
    assert [(f["name"], f["state"]) for f in plan.json["files"]] == [
        (FIRST[0], "missing"),
        (SECOND[0], "missing"),
    ]
    assert outside.rows("SELECT to_regclass('ogel_migrations')") == [(None,)]

    run = migrated(api, one, "succeeded", SECOND, FIRST)
    assert (run["total"], run["done"], run["applied"], run["current"]) == (2, 2, 2, None)
    assert run["error"] is None and run["finished_at"] is not None
    assert outside.rows("SELECT count(*) FROM orders") == [(10,)]
    again = migrated(api, one, "succeeded", FIRST, SECOND, THIRD)
    assert (again["done"], again["applied"]) == (3, 1)
    assert log_of(outside) == [FIRST[0], SECOND[0], THIRD[0]]
    assert [each["id"] for each in all_pages(api, one + "/migrations", 1)] == [again["id"], run["id"]]
    assert [each["applied"] for each in told(api, "database.migrated", one)] == [1, 2]
    edited = ("0002_fill.sql", SECOND[1] + " -- mended")
    plan = api.ok("POST", one + "/migrations", {**files(FIRST, edited), "dry_run": True})
    assert [f["state"] for f in plan["files"]] == ["applied", "edited"]
    assert plan["unknown"] == [THIRD[0]]


def test_a_failing_third_file_is_rolled_back_and_named(api: Client, one: str, outside: Outside) -> None:
    broken = (
        "0003_broken.sql",
        "CREATE TABLE half (a int);\n-- é\nINSERT INTO orders (id, missing)\nVALUES (1, 2);",
    )
    run = migrated(api, one, "failed", FIRST, SECOND, broken)
    assert (run["done"], run["total"], run["applied"], run["current"]) == (2, 3, 2, broken[0])
    error = run["error"]
    assert (error["file"], error["sqlstate"]) == (broken[0], "42703")
    assert error["position"] == broken[1].index("missing") + 1
    assert error["line"] == 3
    assert 'column "missing" of relation "orders" does not exist' in error["message"]
    assert outside.rows("SELECT to_regclass('half')") == [(None,)]
    assert log_of(outside) == [FIRST[0], SECOND[0]]
    [failed] = told(api, "database.migration_failed", one)
    assert (failed["file"], failed["sqlstate"], failed["run"]) == (broken[0], "42703", run["id"])
    mended = migrated(api, one, "succeeded", FIRST, SECOND, THIRD)
    assert (mended["done"], mended["applied"]) == (3, 1)


def test_an_edited_file_is_refused(api: Client, one: str, outside: Outside) -> None:
    migrated(api, one, "succeeded", FIRST)
    run = migrated(api, one, "failed", (FIRST[0], FIRST[1] + " "), SECOND)
    assert run["error"]["file"] == FIRST[0]
    assert "changed after it was applied" in run["error"]["message"]
    assert log_of(outside) == [FIRST[0]]


def test_a_second_file_of_an_applied_number_is_refused(api: Client, one: str, outside: Outside) -> None:
    migrated(api, one, "succeeded", FIRST, SECOND)
    renamed = ("2_filled.sql", SECOND[1])
    plan = api.ok("POST", one + "/migrations", {**files(FIRST, renamed), "dry_run": True})
    assert [each["state"] for each in plan["files"]] == ["applied", "edited"]
    run = migrated(api, one, "failed", FIRST, renamed, THIRD)
    assert (run["error"]["file"], run["applied"]) == (renamed[0], 0)
    assert SECOND[0] in run["error"]["message"]
    assert log_of(outside) == [FIRST[0], SECOND[0]]


@pytest.mark.parametrize(
    "sql",
    ["begin; commit; begin;", "COMMIT", "commit and chain;", "rollback; begin;", "ABORT AND CHAIN",
     "end; start transaction;", "/* COMMIT; */ eNd /* x */; BEGIN",
     "DO $$ BEGIN PERFORM 1; END $$; commit work; begin work;",
     "SAVEPOINT a; ROLLBACK TO a; ROLLBACK TRANSACTION; BEGIN ISOLATION LEVEL SERIALIZABLE",
     "BEGIN; CREATE TABLE more (a int); COMMIT;", "RESET ALL; COMMIT; BEGIN;", "PREPARE TRANSACTION 'x'; BEGIN",
     "CREATE PROCEDURE ends() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$; CALL ends();",
     "DO $$ BEGIN ROLLBACK; END $$"],
)  # fmt: skip
def test_a_file_that_ends_its_own_transaction_is_never_applied(
    api: Client, one: str, outside: Outside, sql: str
) -> None:
    run = migrated(api, one, "failed", FIRST, ("0002_ends.sql", f"SELECT 1; {sql}"), THIRD)
    assert (run["done"], run["error"]["file"]) == (1, "0002_ends.sql")
    told = (
        "ends its own transaction",
        "invalid transaction termination",
        "prepared transactions are disabled",
    )
    assert run["error"]["message"].startswith(("the file " + told[0], *told[1:]))
    assert log_of(outside) == [FIRST[0]]


@pytest.mark.parametrize(
    "sql",
    ["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT 1", "SAVEPOINT a; ROLLBACK TO SAVEPOINT a; RELEASE a",
     "RESET ALL", "BEGIN; -- COMMIT;", "SELECT 'COMMIT;' /* ROLLBACK; */", "DO $$ BEGIN PERFORM 'COMMIT'; END $$",
     "CREATE TABLE commit (begin int); COMMENT ON TABLE commit IS $a$ ROLLBACK; $a$",
     "-- outside a transaction\nBEGIN;\nSELECT 1;\nCOMMIT;"],
)  # fmt: skip
def test_what_only_looks_like_an_end_is_applied(api: Client, one: str, outside: Outside, sql: str) -> None:
    migrated(api, one, "succeeded", FIRST, ("0002_whole.sql", sql), THIRD)
    assert log_of(outside) == [FIRST[0], "0002_whole.sql", THIRD[0]]


def test_a_transaction_left_open_is_noticed(api: Client, one: str, outside: Outside) -> None:
    left = (
        "0002_left.sql",
        "-- outside a transaction\nBEGIN;\nCREATE TABLE IF NOT EXISTS left_over (a int);\n",
    )
    run = migrated(api, one, "failed", FIRST, left, THIRD)
    assert "leaves a transaction open" in run["error"]["message"]
    assert outside.rows("SELECT to_regclass('left_over')") == [(None,)]
    assert log_of(outside) == [FIRST[0]]


def test_a_file_outside_a_transaction(api: Client, one: str, outside: Outside) -> None:
    index = (
        "0002_index.sql",
        "-- outside a transaction\nDROP INDEX CONCURRENTLY IF EXISTS notes;\n"
        "create index concurrently notes ON orders (note);\n",
    )
    migrated(api, one, "succeeded", FIRST, index)
    assert outside.rows("SELECT indisvalid FROM pg_index WHERE indexrelid = 'notes'::regclass") == [(True,)]
    broken = ("0003_broken.sql", "-- outside a transaction\n-- ü\nSELECT 1;\nSELECT nothing\nFROM orders;\n")
    error = migrated(api, one, "failed", FIRST, index, broken)["error"]
    assert (error["line"], error["position"]) == (4, broken[1].index("nothing") + 1)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("CREATE TABLE a (b int); COMMIT; CREATE TABLE c (d int);", "ends its own transaction"),
        ("COPY orders FROM STDIN;", "COPY"),
        ("CREATE INDEX CONCURRENTLY i ON orders (id);", "cannot run inside a transaction block"),
        ("SELECT 1/0;", "division by zero"),
        ("SET ROLE nobody_at_all;", "does not exist"),
        ("", None),
        ("-- nothing\n", None),
        ("SET search_path = ''; SET statement_timeout = 1; SET default_transaction_read_only = on;", None),
        ("SELECT '%s %(a)s {log} \\';", None),
    ],
)
def test_whatever_a_file_does_the_run_ends(
    api: Client, one: str, outside: Outside, sql: str, says: str | None
) -> None:
    strange = ("0002_strange.sql", sql)
    run = migrated(api, one, "failed" if says else "succeeded", FIRST, strange, THIRD)
    if says:
        assert says in run["error"]["message"]
        assert run["error"]["file"] == strange[0]
    else:
        assert log_of(outside) == [FIRST[0], strange[0], THIRD[0]]


def test_one_run_at_a_time_and_cancelled_between_files(api: Client, one: str, outside: Outside) -> None:
    outside.execute("CREATE TABLE gate (a int)")
    short = (GATED[0], GATED[1].replace("60", "2"))
    run = api.ok("POST", one + "/migrations", files(FIRST, short, THIRD))
    eventually(
        lambda: api.ok("GET", f"{one}/migrations/{run['id']}")["current"] == GATED[0], 10, "the second file"
    )
    assert run["id"] in assert_problem(api("POST", one + "/migrations", files(FIRST)), 409)["detail"]
    assert_problem(api("DELETE", one), 409)
    assert_problem(api("PATCH", one, {"database": "elsewhere"}), 409)
    cancelling = api.ok("POST", f"{one}/migrations/{run['id']}/cancel")
    assert (cancelling["status"], cancelling["cancelling"]) == ("running", True)
    done = ended(api, one, run, "cancelled")
    assert (done["status"], done["done"], done["cancelling"]) == ("cancelled", 2, False)
    assert log_of(outside) == [FIRST[0], GATED[0]]
    assert_problem(api("POST", f"{one}/migrations/{run['id']}/cancel"), 409)


def test_of_runs_asked_for_at_once_one_begins(api: Client, one: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api("POST", one + "/migrations", files(FIRST, SECOND)), range(6)))
    begun = [answer.json for answer in answers if answer.status == 202]
    assert {answer.status for answer in answers} <= {202, 409}
    # The first may be over before the last comes.
    assert begun and sum(ended(api, one, run, "succeeded")["applied"] for run in begun) == 2


def test_its_job_cancelled_it_is_cut_within_a_file(api: Client, one: str, outside: Outside) -> None:
    outside.execute("CREATE TABLE gate (a int)")
    run = api.ok("POST", one + "/migrations", files(FIRST, GATED))
    eventually(
        lambda: api.ok("GET", f"{one}/migrations/{run['id']}")["current"] == GATED[0], 10, "the second file"
    )
    [job] = [j for j in all_pages(api, "/api/jobs", 100) if j["payload"].get("run") == run["id"]]
    api.ok("POST", f"/api/jobs/{job['id']}/cancel")
    assert ended(api, one, run, "cancelled")["done"] == 1
    assert outside.rows("SELECT to_regclass('half')") == [(None,)]
    outside.execute("INSERT INTO gate VALUES (1)")
    assert migrated(api, one, "succeeded", FIRST, GATED)["applied"] == 1


def test_another_session_with_the_lock_is_waited_for_visibly(api: Client, one: str, outside: Outside) -> None:
    with psycopg.connect(outside.url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (0x6F67656C_6462,))
        run = api.ok("POST", one + "/migrations", files(FIRST))
        eventually(
            lambda: "another session" in (api.ok("GET", f"{one}/migrations/{run['id']}")["waiting"] or ""),
            10,
            "it to wait",
        )
    assert ended(api, one, run, "succeeded")["status"] == "succeeded"


def test_a_database_that_stays_away_ends_in_a_dead_job_which_can_be_revived(
    api: Client, outside: Outside, suite_servers: dict[str, str]
) -> None:
    database = register(api, **{**outside.parts, "port": free_port()})
    one = f"/api/databases/{database['id']}"
    run = api.ok("POST", one + "/migrations", files(FIRST))
    waiting = eventually(
        lambda: api.ok("GET", f"{one}/migrations/{run['id']}")["waiting"], 10, "the first attempt to fail"
    )
    assert "refused" in waiting
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection:
        # Nine attempts are over; the tenth is due.
        connection.execute(
            "UPDATE job_queue SET attempts = 9, scheduled_at = now()"
            " WHERE kind = 'databases.migrate' AND status = 'pending'"
        )
    failed = ended(api, one, run, "failed")
    assert failed["status"] == "failed"
    assert "gave up after 10 attempts" in failed["error"]["message"]
    [job] = [
        job for job in api.ok("GET", "/api/jobs?status=dead")["items"] if job["payload"]["run"] == run["id"]
    ]
    assert job["payload"] == {"run": run["id"], "database": database["id"]}
    url = {"port": outside.port, "password": outside.parts["password"]}
    api.ok("PATCH", one, url)
    api.ok("POST", f"/api/jobs/{job['id']}/retry")
    assert eventually(
        lambda: api.ok("GET", f"{one}/migrations/{run['id']}")["status"] == "succeeded", 10, "it to go on"
    )
    assert log_of(outside) == [FIRST[0]]
    api.ok("DELETE", one)


def test_a_run_that_waits_is_cancelled_at_once(api: Client, outside: Outside) -> None:
    one = f"/api/databases/{register(api, **{**outside.parts, 'port': free_port()})['id']}"
    run = api.ok("POST", one + "/migrations", files(FIRST))
    eventually(lambda: api.ok("GET", f"{one}/migrations/{run['id']}")["waiting"], 10, "it to wait")
    api.ok("POST", f"{one}/migrations/{run['id']}/cancel")
    assert ended(api, one, run, "cancelled", 5)["status"] == "cancelled"
    api.ok("DELETE", one)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "body.files"),
        ({"files": []}, "body.files"),
        (files(*((f"{n:04}_a.sql", "SELECT 1") for n in range(201))), "body.files"),
        (files(("../../etc/passwd", "SELECT 1")), "body.files[0].name"),
        (files(("a.sql", "SELECT 1")), "body.files[0].name"),
        (files(("0001_a.sql\n", "SELECT 1")), "body.files[0].name"),
        (files(("0001_a.sql", "SELECT 1"), ("1_b.sql", "SELECT 1")), "body.files[1].name"),
        (files(("0001_a.sql", "SELECT '\x00'")), "body.files[0].sql"),
        (files(("0001_a.sql", "-- outside a transaction\nSELECT 1;\nSELECT 2")), "body.files[0].sql"),
        ({**files(FIRST), "more": 1}, "body.more"),
        ({**files(FIRST), "dry_run": "yes"}, "body.dry_run"),
    ],
)
def test_wrong_files_are_refused_by_field(api: Client, body: Any, path: str) -> None:
    assert_problem(api("POST", "/api/databases/any/migrations", body), 422, path)


def test_files_that_are_too_long_together_are_refused(api: Client) -> None:
    long = "-- " + "x" * (3 * 1024 * 1024)
    body = files(("0001_a.sql", long), ("0002_b.sql", long))
    assert_problem(api("POST", "/api/databases/any/migrations", body), 413, "body.files")


def test_a_worker_that_is_killed_within_a_file_leaves_nothing_of_it_and_another_goes_on(
    suite_servers: dict[str, str], outside: Outside, tmp_path: Path
) -> None:
    """On processes and a queue of their own."""
    name = f"killed_{free_port()}"
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE ogel_template").format(sql.Identifier(name)))
        settings = {
            **suite_servers,
            "DATABASE_URL": urlunsplit(urlsplit(suite_servers["DATABASE_URL"])._replace(path=f"/{name}")),
            "OGEL_LEASE_SECONDS": "1",
        }
        outside.execute("CREATE TABLE gate (a int)")
        with Ogel("api", log=tmp_path / "api.log", **settings) as ogel:
            api = ogel.api
            one = f"/api/databases/{register(api, **outside.parts)['id']}"
            worker = Ogel("worker", "databases", log=tmp_path / "worker.log", **settings).start()
            run = api.ok("POST", one + "/migrations", files(FIRST, GATED, THIRD))
            sleeping = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(CASE%' AND pid <> pg_backend_pid()"
            eventually(lambda: outside.rows(sleeping), 20, "the file to be under way")
            worker.kill()
            assert outside.rows("SELECT to_regclass('half')") == [(None,)]
            outside.execute("INSERT INTO gate VALUES (1)")
            with Ogel("worker", "databases", log=tmp_path / "worker.log", **settings):
                done = ended(api, one, run, "succeeded", 30)
            assert (done["status"], done["done"], done["applied"]) == ("succeeded", 3, 3)
            assert log_of(outside) == [FIRST[0], GATED[0], THIRD[0]]
            assert outside.rows("SELECT count(*) FROM half") == [(1,)]
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
