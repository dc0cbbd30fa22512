"""`ogel databases`: what an operator sees and does, on the database beside a running suite."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.support.cli import Finished, ogel_here
from tests.support.outside import PASSWORD, Outside, an_outside_database, slug
from tests.support.process import SECRET, Client, eventually, free_port

Run = Callable[..., Finished]


@pytest.fixture
def outside(suite_servers: dict[str, str]) -> Iterator[Outside]:
    with an_outside_database(suite_servers["DATABASE_URL"]) as outside:
        yield outside


@pytest.fixture
def run(suite_servers: dict[str, str]) -> Run:
    def run(*arguments: str, stdin: str = "", **settings: str) -> Finished:
        with (
            mock.patch("ogel.runtime.log.setup.configure_logging"),  # it is for whole processes
            mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        ):
            return ogel_here("databases", *arguments, **{**suite_servers, **settings})

    return run


def document(finished: Finished) -> Any:
    return json.loads(finished.out)


def test_from_adding_to_removing(api: Client, run: Run, outside: Outside) -> None:
    name = slug()
    added = run("add", name, "--url-from", "ORDERS_URL", "--label", "team=shop", "--json",
                OGEL_SECRET=SECRET, ORDERS_URL=outside.url)  # fmt: skip
    assert added.code == 0, added.err
    assert PASSWORD not in added.out + added.err
    assert document(added)["labels"] == {"team": "shop"}
    checked = run("check", name)
    assert checked.code == 0, checked.err
    [_, line] = checked.out.splitlines()
    assert line.startswith(f"{name}  postgresql  reachable")
    listed = document(run("list", "--type", "postgresql", "--json"))
    assert [each["check"]["state"] for each in listed["items"] if each["name"] == name] == ["reachable"]
    assert name in run("list").out
    outside.execute("CREATE TABLE orders (id int)")
    assert run("check", name).code == 0
    stats = run("stats", name).out
    for said in ("size bytes", "MiB", "connections active", "Largest tables", "orders"):
        assert said in stats
    assert document(run("stats", name, "--json"))["stats"]["size_bytes"] > 0
    assert run("remove", name).out == f"{name} removed\n"
    assert run("check", name).code == 1
    assert run("list", "--type", "postgresql").out == "no databases\n"


def test_a_password_comes_from_the_standard_input_and_a_server_that_is_away_is_exit_1(
    api: Client, run: Run, outside: Outside
) -> None:
    name = slug()
    place = ("--type", "postgresql", "--host", outside.host, "--username", outside.role)
    added = run("add", name, *place, "--port", str(outside.port), "--database", outside.name,
                "--password-from", "-", stdin=PASSWORD + "\n", OGEL_SECRET=SECRET)  # fmt: skip
    assert added.code == 0, added.err
    assert run("check", name).code == 0
    away = slug()
    added = run("add", away, *place, "--port", str(free_port()), "--password-from", "IT",
                IT=PASSWORD, OGEL_SECRET=SECRET)  # fmt: skip
    assert added.code == 0, added.err
    found = run("check", away)
    assert found.code == 1 and "unreachable" in found.out and "refused" in found.out
    for each in (name, away):
        assert run("remove", each, "--json").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("Has Space", "--type", "redis", "--host", "h"), "NAME"),
        (("ok",), "--type"),
        (("ok", "--type", "redis", "--host", "169.254.169.254"), "--host"),
        (("ok", "--type", "redis", "--host", "h", "--database", "first"), "--database"),
        (("ok", "--type", "redis", "--host", "h", "--port", "99999"), "port"),
        (("ok", "--url-from", "NOT_SET"), "NOT_SET"),
        (("ok", "--url-from", "-", "--password-from", "-"), "standard input"),
        (("ok", "--type", "redis", "--host", "h", "--label", "x"), "--label"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(run: Run, arguments: tuple[str, ...], says: str) -> None:
    finished = run("add", *arguments, OGEL_SECRET=SECRET)
    assert finished.code == 2
    assert says in finished.err.splitlines()[-1]
    assert "Traceback" not in finished.err


def test_what_is_sealed_is_not_written_without_the_secret(run: Run) -> None:
    finished = run("add", "ok", "--type", "redis", "--host", "h")
    assert finished.code == 2 and "OGEL_SECRET" in finished.err


def write(folder: Path, **files: str) -> str:
    folder.mkdir(exist_ok=True)
    for name, sql in files.items():
        (folder / f"{name}.sql").write_text(sql)
    return str(folder)


def test_migrating_a_folder(api: Client, run: Run, outside: Outside, tmp_path: Path) -> None:
    name = slug()
    api.ok("POST", "/api/databases", {"name": name, **outside.parts})
    folder = write(tmp_path / "sql", **{"0001_a": "CREATE TABLE a (n int);", "0002_b": "SELECT 1;"})
    planned = run("migrate", name, folder, "--dry-run", OGEL_SECRET=SECRET)
    assert planned.code == 0 and "0001_a.sql  missing" in planned.out
    done = run("migrate", name, folder)
    assert done.code == 0, done.err
    assert "succeeded: 2 of 2 are applied, 2 by this run" in done.out
    write(tmp_path / "sql", **{"0003_c": "SELECT 1;\nSELECT missing;\n"})
    failed = run("migrate", name, folder)
    assert failed.code == 1
    assert '0003_c.sql:2: column "missing" does not exist (SQLSTATE 42703)' in failed.out
    write(tmp_path / "sql", **{"0003_c": "SELECT 1;"})
    again = run("migrate", name, folder, "--json")
    assert again.code == 0 and document(again)["applied"] == 1
    begun = run("migrate", name, folder, "--no-wait", "--json")
    assert begun.code == 0
    path = f"/api/databases/{name}/migrations/{document(begun)['id']}"
    eventually(lambda: api.ok("GET", path)["status"] == "succeeded", 10, "it to be done")
    assert run("migrate", name, str(tmp_path)).code == 2
    write(tmp_path / "odd", notes="SELECT 1;")
    odd = run("migrate", name, str(tmp_path / "odd"))
    assert odd.code == 2 and "notes.sql" in odd.err
    write(tmp_path / "twice", **{"1_a": "SELECT 1;", "01_b": "SELECT 1;"})
    twice = run("migrate", name, str(tmp_path / "twice"))
    assert twice.code == 2 and "1_a.sql: name: has the number of 01_b.sql" in twice.err
    assert run("migrate", "nobody", folder).code == 1
    api.ok("DELETE", f"/api/databases/{name}")
