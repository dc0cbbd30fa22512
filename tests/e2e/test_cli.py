"""The `ogel` command: help without delay, answers in one line, and nothing half-started."""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from ogel.cli import COMMANDS
from ogel.environ import knobs
from tests.support.cli import findings, ogel, ogel_here
from tests.support.on_terminal import OnTerminal
from tests.support.process import ADMIN_KEY, SECRET, Ogel, eventually, free_port

NOWHERE = {"OGEL_ADMIN_KEY": ADMIN_KEY, "OGEL_SECRET": SECRET}


def test_help_lists_every_command_as_the_command_says_it() -> None:
    shown = ogel_here("--help")
    assert shown.code == 0
    for name, summary in COMMANDS.items():
        command = importlib.import_module(f"ogel.cli.{name.replace('-', '_')}").command
        assert command.name == name
        assert f"{name} " in shown.out
        assert summary.rstrip(".").split(";")[0].split(",")[0] in " ".join(shown.out.split())
        assert command.help


def test_help_imports_no_command_and_no_library_but_click() -> None:
    code = (
        "import sys; from ogel.cli import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "print(sorted(m for m in sys.modules if m.startswith(('ogel.cli.', 'psycopg', 'redis', 'rq', 'msgspec'))))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert finished.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command: str) -> None:
    shown = ogel_here(command, "--help")
    assert shown.code == 0
    assert "Usage: " in shown.out


def test_settings_show_values_sources_and_no_secret() -> None:
    environment = {
        **NOWHERE,
        "POSTGRES_HOST": "h",
        "POSTGRES_PASSWORD": "hunter2",
        "PORT": "81",
        "REDIS_URL": "redis://:hunter2@h",
    }
    finished = ogel_here("settings", "--json", **environment)
    rows = {row["name"]: row for row in json.loads(finished.out)["items"]}
    assert len(rows) == len(knobs())
    assert (rows["PORT"]["value"], rows["PORT"]["source"]) == ("81", "environment")
    assert (rows["POSTGRES_HOST"]["value"], rows["POSTGRES_HOST"]["source"]) == ("***", "environment")
    assert (rows["LOG_LEVEL"]["value"], rows["LOG_LEVEL"]["source"]) == ("info", "default")
    assert rows["MONGO_URL"]["value"] is None
    for shown in (finished.out, ogel_here("settings", **environment).out):
        assert not any(secret in shown for secret in ("hunter2", ADMIN_KEY, SECRET))


@pytest.mark.parametrize(
    "command", ["up", "api", "worker", "scheduler", "realtime", "migrate", "settings", "healthcheck"]
)
def test_a_wrong_setting_stops_the_start_with_one_line(command: str, tmp_path: Path) -> None:
    refused = ogel_here(command, PORT="eighty", OGEL_DATA_DIR=str(tmp_path / "data"))
    assert refused.code == 2
    assert refused.err == "ogel: PORT got 'eighty'; it takes 0 to 65535\n"
    assert refused.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (["migrate"], {}, "DATABASE_URL is not set"),
        (["worker"], NOWHERE, "no queue named"),
        (["worker", "webhooks", "--all"], NOWHERE, "not both"),
        (["api", "--with", "kitchen"], NOWHERE, "--with got 'kitchen'; it takes worker, scheduler, realtime"),
        (["api", "--port", "70000"], NOWHERE, "70000"),
        (["nothing"], {}, "nothing"),
        (["keys", "revoke"], {}, "ID"),
        (["up"], {"OGEL_ADMIN_KEY": "short"}, "OGEL_ADMIN_KEY got 5 characters (hidden)"),
        (["up"], {"SENTRY_DSN": "https://sentry.invalid/"}, "SENTRY_DSN"),
        (
            ["up"],
            {"REDIS_URL": "redis://h?prefix=x"},
            "REDIS_URL got 18 characters (hidden): it has the option 'prefix'",
        ),
        (["up"], {"STORAGE_BACKEND": "s3"}, "STORAGE_BACKEND is s3, which needs S3_BUCKET"),
    ],
)
def test_a_start_that_cannot_be_is_refused(
    arguments: list[str], settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    refused = ogel_here(*arguments, OGEL_DATA_DIR=str(tmp_path / "data"), **settings)
    assert refused.code == 2
    assert said in refused.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (["worker", "webhooks"], {"DATABASE_URL": "postgresql://h/d"}, "REDIS_URL is not set"),
        (["api"], {"DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h"}, "OGEL_ADMIN_KEY is not set"),
        (["worker", "nothing"], {**NOWHERE, "DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h"},
         "there is no queue 'nothing'; there are audit, backups, cleanup, "),
    ],
)  # fmt: skip
def test_what_only_the_platform_can_refuse_is_one_line_too(
    arguments: list[str], settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    refused = ogel(*arguments, at=tmp_path, **settings)
    assert refused.code == 2
    assert said in refused.err
    assert "Traceback" not in refused.err


def test_a_port_that_is_taken_is_one_line(tmp_path: Path, database_url: str, redis_url: str) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **NOWHERE}
    with Ogel("api", log=tmp_path / "ogel.log", **servers) as first:
        refused = ogel("worker", "--all", PORT=str(first.port), OGEL_HOST="127.0.0.1", **servers)
    assert refused.code == 2
    assert str(first.port) in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize("arguments", [["api"], ["worker", "mail"], ["scheduler"]])
def test_a_process_warns_once_of_variables_that_nothing_reads(arguments: list[str], tmp_path: Path) -> None:
    """By name and not by value: one that was replaced, such as OGEL_BACKUP_CRON, must not be ignored without a word."""
    with socket.create_server(("127.0.0.1", 0)) as taken:  # so that it ends as soon as it has begun
        ended = ogel(
            *arguments,
            PORT=str(taken.getsockname()[1]),
            OGEL_HOST="127.0.0.1",
            DATABASE_URL="postgresql://127.0.0.1:1/none?schema=hunter2",
            REDIS_URL="redis://127.0.0.1:1?family=0",
            OGEL_BACKUP_CRON="0 3 * * *",
            OGEL_SECRETS="hunter2",
            **NOWHERE,
        )
    assert ended.code == 2
    lines = [json.loads(line) for line in ended.out.splitlines()]
    [unknown] = [line for line in lines if line["message"] == "settings.unknown"]
    assert (unknown["level"], unknown["names"]) == ("warning", ["OGEL_SECRETS"])
    [gone] = [line for line in lines if line["message"] == "settings.gone"]
    assert (gone["variable"], gone["instead"]) == ("OGEL_BACKUP_CRON", "OGEL_SCHEDULES=backups.create=<cron>")
    ignored = {line["variable"]: line["parts"] for line in lines if line["message"] == "settings.ignored"}
    assert ignored == {"DATABASE_URL": ["option schema"], "REDIS_URL": ["option family"]}
    assert "hunter2" not in ended.out + ended.err


def test_healthcheck_says_whether_the_process_is_ready(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    port = str(free_port())
    down = ogel("healthcheck", PORT=port)
    assert (down.code, down.out) == (1, "")
    assert "no answer" in down.err
    with Ogel("api", log=tmp_path / "ogel.log", DATABASE_URL=database_url, REDIS_URL=redis_url) as running:
        up = ogel("healthcheck", PORT=str(running.port))
        assert up.code == 0
        assert json.loads(up.out)["status"] == "ready"


def test_migrate_twice_and_doctor(empty_database_url: str, redis_url: str) -> None:
    servers = {"DATABASE_URL": empty_database_url, "REDIS_URL": redis_url, **NOWHERE}
    before = {f["subject"]: f for f in findings(ogel_here("doctor", "--json", **servers))}
    assert before["postgres"]["ok"]
    assert not before["schema"]["ok"]
    assert before["schema"]["advice"] == "run `ogel migrate`"

    first, second = ogel("migrate", **servers), ogel("migrate", **servers)
    assert (first.code, second.code) == (0, 0)
    assert not first.out.splitlines()[-1].startswith("0 applied")
    assert second.out.splitlines()[-1].startswith("0 applied")

    after = ogel_here("doctor", "--json", **servers)
    assert after.code == 0, after.out
    found = findings(after)
    assert all(finding["ok"] for finding in found)
    with Redis.from_url(redis_url) as client:
        own = client.info("server")
    version = str(own.get("valkey_version", own["redis_version"]))
    assert any(version in finding["detail"] for finding in found if finding["subject"] == "redis")


def test_doctor_names_what_does_not_answer() -> None:
    port = free_port()
    environment = {
        **NOWHERE,
        "DATABASE_URL": f"postgresql://u:hunter2@127.0.0.1:{port}/d",
        "REDIS_URL": f"redis://:hunter2@127.0.0.1:{port}",
        "MONGO_URL": f"mongodb://u:hunter2@127.0.0.1:{port}",
        "STORAGE_BACKEND": "s3",
        "S3_ENDPOINT": f"http://127.0.0.1:{port}",
        "S3_BUCKET": "files",
        "S3_ACCESS_KEY": "hunter2",
        "S3_SECRET_KEY": "hunter2",
        "OGEL_MISTYPED": "1",
    }
    finished = ogel("doctor", **environment)
    assert finished.code == 1
    failed = {line.split()[1].rstrip(":") for line in finished.out.splitlines() if line.startswith("FAIL")}
    assert failed == {"settings", "postgres", "schema", "redis", "mongo", "storage"}
    assert "OGEL_MISTYPED" in finished.out
    assert "hunter2" not in finished.out + finished.err


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("no.such=0 3 * * *", "OGEL_SCHEDULES names 'no.such'; there are "),
        ("stats.roll_up=at night", "OGEL_SCHEDULES: schedule 'stats.roll_up': cron 'at night'"),
        ("backups.create=on; cleanup.*=30 4 * * *", None),
    ],
)
def test_doctor_looks_at_the_schedules(value: str, detail: str | None, tmp_path: Path) -> None:
    shown = ogel_here("doctor", "--json", OGEL_SCHEDULES=value, OGEL_DATA_DIR=str(tmp_path))
    [schedules] = [f for f in findings(shown) if f["subject"] == "schedules"]
    assert schedules["ok"] is (detail is None)
    assert schedules["detail"].startswith(detail or "OGEL_SCHEDULES names those there are")
    assert shown.code == (0 if detail is None else 1)


def test_doctor_checks_local_storage_when_it_is_asked_for(tmp_path: Path) -> None:
    well = ogel_here("doctor", "--json", STORAGE_BACKEND="local", OGEL_DATA_DIR=str(tmp_path))
    [storage] = [f for f in findings(well) if f["subject"] == "storage"]
    assert storage["ok"]
    (tmp_path / "file").touch()
    ill = ogel_here("doctor", "--json", STORAGE_BACKEND="local", OGEL_DATA_DIR=str(tmp_path / "file"))
    [storage] = [f for f in findings(ill) if f["subject"] == "storage"]
    assert not storage["ok"]
    assert "file" in storage["detail"]


def test_commands_beside_an_embedded_suite_find_it(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    with Ogel("up", log=tmp_path / "ogel.log", OGEL_DATA_DIR=data) as running:
        made = ogel("keys", "create", "ci", "--scope", "events:read", OGEL_DATA_DIR=data, **NOWHERE)
        assert made.code == 0, made.err
        key = made.out.split()[1]
        assert running.api("GET", "/api/events", key=key).status == 200
    refused = ogel("keys", "list", OGEL_DATA_DIR=data)
    assert refused.code == 2
    assert data in refused.err


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_it_well(tmp_path: Path, database_url: str, redis_url: str) -> None:
    with Ogel("api", log=tmp_path / "ogel.log", DATABASE_URL=database_url, REDIS_URL=redis_url) as running:
        assert running.process is not None
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(30) == 0
    assert "Traceback" not in running.log_text()


def test_a_process_that_waits_for_its_servers_refuses_and_leaves_when_told(tmp_path: Path) -> None:
    nowhere = {"DATABASE_URL": "postgresql://ogel@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1"}
    waiting = Ogel("worker", "webhooks", log=tmp_path / "worker.log", **nowhere)
    with pytest.raises(AssertionError, match="to be ready"):
        waiting.start(ready_seconds=1.0)
    eventually(lambda: "postgres.waiting" in waiting.log_text(), 20, "it to wait")
    with pytest.raises(ConnectionRefusedError):
        waiting.api("GET", "/health/live")
    assert waiting.terminate(seconds=10) == 0


def test_a_port_that_is_taken_is_told_before_the_servers_are_waited_for(tmp_path: Path) -> None:
    nowhere = {"DATABASE_URL": "postgresql://ogel@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1"}
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        late = Ogel("api", log=tmp_path / "api.log", PORT=port, **nowhere)
        with pytest.raises(AssertionError, match=f"port {port}: Address already in use"):
            late.start()
    assert late.process is not None
    assert late.process.returncode == 2


def test_a_database_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    environment = {"DATABASE_URL": "postgresql://ogel@127.0.0.1:1/none", "OGEL_CONNECT_SECONDS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "ogel", "migrate"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("ogel: DATABASE_URL: ")
    assert "Traceback" not in done.stderr + done.stdout


def test_settings_fit_the_terminal_and_break_no_word() -> None:
    command = [sys.executable, "-m", "ogel", "settings"]
    environment = {"NO_COLOR": "1", "PORT": "0", "PYTHONPATH": str(Path(__file__).parents[2])}
    with OnTerminal(command, environment) as terminal:
        shown = terminal.end()
    assert max(map(len, shown.splitlines())) <= 80
    words = {word for word in ogel_here("settings").out.split() if len(word) < 40}
    assert words <= set(shown.split())


def test_all_that_a_process_misses_is_said_at_once() -> None:
    refused = ogel_here("api")
    assert refused.code == 2
    assert [line.split()[1] for line in refused.err.splitlines()] == [
        "DATABASE_URL", "REDIS_URL", "OGEL_ADMIN_KEY", "OGEL_SECRET"
    ]  # fmt: skip


def test_all_that_is_wrong_with_schedules_is_said_at_once() -> None:
    value = "backup.create=on; stats.roll_up=at night; health.check=61 * * * *"
    seen = ogel_here("doctor", "--json", OGEL_SCHEDULES=value)
    said = [each["detail"] for each in findings(seen) if each["subject"] == "schedules" and not each["ok"]]
    assert [text.partition(";")[0].partition(": cron")[0] for text in said] == [
        "OGEL_SCHEDULES names 'backup.create'",
        "OGEL_SCHEDULES: schedule 'stats.roll_up'",
        "OGEL_SCHEDULES: schedule 'health.check'",
    ]


def test_settings_are_shown_as_people_write_them_and_mistakes_beside_them() -> None:
    shown = ogel_here(
        "settings", PORT="", OGEL_POOL_MIN="30", OGEL_QUEUE_SOFT_LIMIT="250000", OGEL_DRAIN_SECONDS="90"
    )
    assert shown.code == 0
    header, *lines = shown.out.splitlines()
    assert header.split() == ["NAME", "VALUE", "[FROM]"]
    values = {line.split()[0]: " ".join(line.split()[1:]) for line in lines if not line.startswith(" ")}
    assert values["PORT"] == "8080 [default]"
    assert values["DATABASE_URL"] == values["WORKER_QUEUES"] == "(not set) [default]"
    assert values["OGEL_MAX_BODY_BYTES"] == "8 MiB [default]"
    assert values["OGEL_QUEUE_SOFT_LIMIT"] == "250,000 [environment]"
    assert values["OGEL_DRAIN_SECONDS"] == "90 s [environment]"
    assert values["OGEL_WEBHOOK_DISABLE_AFTER_SECONDS"] == "5 days [default]"
    assert values["OGEL_WEBHOOK_RETRY_DELAYS"].startswith("5 s, 5 min, 30 min, 2 h,")
    assert values["OGEL_ALERT_DISK_FREE"] == "10 % [default]"
    assert shown.err == "ogel: OGEL_POOL_MIN (30) is more than OGEL_POOL_MAX (20), so it is never reached\n"


def test_all_that_is_wrong_is_said_at_a_start(tmp_path: Path) -> None:
    refused = ogel_here("up", PORT="eighty", LOG_LEVEL="loud", OGEL_DATA_DIR=str(tmp_path / "data"))
    assert (refused.code, refused.out) == (2, "")
    assert [line.split(" got ")[0] for line in refused.err.splitlines()] == ["ogel: PORT", "ogel: LOG_LEVEL"]
    assert list(tmp_path.iterdir()) == []
