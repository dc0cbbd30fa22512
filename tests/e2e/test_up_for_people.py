"""`ogel up` and `ogel status`, as somebody at a terminal and something that reads its log meet them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from tests.support.cli import Finished, ogel_here
from tests.support.on_terminal import OnTerminal
from tests.support.process import Client, eventually, free_port

ROOT = Path(__file__).parents[2]
UP = [sys.executable, "-m", "ogel", "up", "--port", "0"]
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  (info   |warning)  [a-z_]+\.[a-z_]+(  [a-z_]+=.*)?")


def status(data: Path, *arguments: str, **settings: str) -> Finished:
    return ogel_here("status", *arguments, OGEL_DATA_DIR=str(data), **settings)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[OnTerminal]:
    environment = {"PYTHONPATH": str(ROOT), "OGEL_DATA_DIR": str(tmp_path / "it's data"), "NO_COLOR": "1"}
    with OnTerminal(UP, environment) as terminal:
        yield terminal


def test_the_banner_comes_last_and_status_says_the_addresses(terminal: OnTerminal, tmp_path: Path) -> None:
    data = tmp_path / "it's data"
    assert "nothing runs" in status(tmp_path / "none").out and status(tmp_path / "none").code == 1
    terminal.until(lambda written: "/api/events" in written and written.endswith("\n\n"))
    log, banner = terminal.written.split("\n\nOgel on ")
    assert all(LINE.fullmatch(line) for line in log.splitlines()), log
    assert "process.ready" in log and banner.count("curl -s http://localhost:") == 3

    shown = status(data)
    assert (shown.code, shown.err) == (0, "")
    [url] = re.findall(r"^http +(http://localhost:\d+)$", shown.out, re.MULTILINE)
    assert banner.startswith(f"{url}, with its own PostgreSQL and Valkey")
    found: dict[str, Any] = json.loads(status(data, "--json").out)
    assert (found["state"], found["health"], found["http"]) == ("running", "healthy", url)
    assert found["pid"] == terminal.process.pid
    passwords = {
        server: (data / f"{server}.password").read_text().strip() for server in ("postgres", "redis")
    }
    for server, variable in (("postgres", "PGPASSWORD"), ("redis", "REDISCLI_AUTH")):
        assert passwords[server] not in shown.out
        given = re.split(" psql | redis-cli ", found[server]["client"].partition(f"{variable}=")[2])[0]
        said = subprocess.run(["sh", "-c", f"printf %s {given}"], capture_output=True, text=True, timeout=10)
        assert said.stdout == passwords[server]
    address = found["postgres"]["address"].replace("://", f"://ogel:{passwords['postgres']}@")
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT count(*) FROM schema_migrations").fetchone()
    with redis.Redis.from_url(found["redis"]["address"], password=passwords["redis"]) as store:
        assert store.ping()

    os.kill(terminal.process.pid, signal.SIGKILL)
    terminal.process.wait(10)
    killed = eventually(lambda: (said := status(data)).out.count("killed") and said, 10, "its servers to end")
    assert killed.code == 1
    assert json.loads(status(data, "--json").out) == {"state": "killed", "data_dir": str(data)}


@pytest.mark.parametrize("how", ["piped", "OGEL_LOG"])
def test_a_banner_never_goes_into_json_lines(how: str, tmp_path: Path, suite_servers: dict[str, str]) -> None:
    """Standard output and error of one file, as nohup and service managers have it."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "OGEL_DATA_DIR": str(tmp_path),
        **suite_servers,
        "OGEL_ADMIN_KEY": "an-admin-key-of-the-test",
        "OGEL_SECRET": suite_servers.get("OGEL_SECRET", "a-secret-of-this-very-test"),
    }
    if how == "OGEL_LOG":
        with OnTerminal(UP, {**environment, "OGEL_LOG": "json"}) as terminal:
            terminal.until(lambda written: '"up.ready"' in written)
            terminal.process.send_signal(signal.SIGINT)
            text = terminal.end()
    else:
        with subprocess.Popen(
            UP, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as up:
            assert up.stdout is not None
            text = ""
            while '"up.ready"' not in text:
                text += up.stdout.readline()
            up.terminate()
            text += up.stdout.read()
    lines = [json.loads(line) for line in text.splitlines() if line]
    assert all(line["message"] and next(iter(line)) == "message" for line in lines)
    [ready] = [line for line in lines if line["message"] == "up.ready"]
    assert ready["url"].startswith("http://localhost:") and ready["key_in"] == "OGEL_ADMIN_KEY"


def test_status_of_servers_elsewhere(suite: object, api: Client, suite_servers: dict[str, str]) -> None:
    found = ogel_here("status", "--json", **{**suite_servers, "PORT": str(api.port)})
    document = json.loads(found.out)
    assert (found.code, document["state"]) == (0, "running")
    assert document["http"] == f"http://localhost:{api.port}"
    assert document["postgres"]["client"] == 'psql "$DATABASE_URL"'
    silent = ogel_here("status", **{**suite_servers, "PORT": str(free_port())})
    assert silent.code == 1 and "nothing answers" in silent.out


def test_status_says_what_is_wrong_with_the_data_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = status(tmp_path / "file")
    assert (said.code, said.out) == (2, "")
    assert (
        said.err.startswith(f"ogel: OGEL_DATA_DIR={tmp_path / 'file'} cannot be used")
        and "\n" not in said.err[:-1]
    )


@pytest.mark.parametrize(
    ("given", "client"),
    [
        ({"POSTGRES_HOST": "db.example", "POSTGRES_USER": "x", "POSTGRES_PASSWORD": "hunter2"},
         'PGPASSWORD="$POSTGRES_PASSWORD" psql postgresql://x@db.example:5432/postgres'),
        ({"PGHOST": "/run/pg", "PGUSER": "a b", "PGPASSWORD": "hunter2"},
         'PGPASSWORD="$PGPASSWORD" psql postgresql://a%20b@%2Frun%2Fpg:5432/postgres'),
        ({"DATABASE_URL": "postgresql://x:hunter2@db.example/d?schema=public&sslmode=require&password=hunter2"},
         "psql 'postgresql://x@db.example/d?sslmode=require'"),
        ({"DATABASE_URL": "postgresql://x:hunter2@db.example/d?sslmode=require"}, 'psql "$DATABASE_URL"'),
    ],
)  # fmt: skip
def test_status_shows_no_password_of_the_settings(given: dict[str, str], client: str) -> None:
    found = ogel_here(
        "status", "--json", PORT=str(free_port()),
        REDIS_URL="redis://redis.example:6379/0", REDIS_PASSWORD="hunter2", **given,
    )  # fmt: skip
    assert "hunter2" not in found.out + found.err
    document = json.loads(found.out)
    assert document["postgres"]["client"] == client
    assert document["admin_key"] is None
    assert document["redis"] == {
        "address": "redis://redis.example:6379/0",
        "client": 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -u "$REDIS_URL"',
    }
