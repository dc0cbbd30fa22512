"""`ogel doctor`: the wrong settings that people make, each found by name and with what to do; and a running suite."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from psycopg import sql

from ogel.cli.doctor.clock import clock
from ogel.cli.doctor.keys import weakness
from ogel.cli.doctor.postgres import Server, row_level_security, storage_schema, unfit
from ogel.cli.doctor.redis import unfit as unfit_redis
from tests.support.cli import findings, ogel_here
from tests.support.mail import MailServer, ScriptedSmtp
from tests.support.process import Ogel, eventually
from tests.support.seaweed import Seaweed

KEY, SECRET, OTHER = "9Hc2vXq7Lw0Zr5Kd8TnB3sYf", "Jm4Qe1Wz6Pa9Ru2Ci7Vx5Ogl", "Bd8Fk3Hs0Mv6Ny1Qt4Xj9Ewz"
NOWHERE = {"DATABASE_URL": "postgresql://127.0.0.1:1/d", "REDIS_URL": "redis://127.0.0.1:1"}
LONE = {"DATABASE_URL": "", "REDIS_URL": ""}


def wrong(*, at: Path, **settings: str) -> list[dict[str, Any]]:
    """What doctor finds wrong with these settings, in a directory of the test's own and with a free port."""
    environment = {"PORT": "0", "OGEL_DATA_DIR": str(at / "data"), **settings}
    seen = ogel_here("doctor", "--json", **environment)
    ill = [each for each in findings(seen) if not each["ok"]]
    assert seen.err == ""
    assert seen.code == (1 if ill else 0)
    assert all(each["advice"] and "\n" not in each["detail"] for each in ill)
    return ill


def test_a_machine_without_settings_is_well(tmp_path: Path) -> None:
    assert wrong(at=tmp_path) == []
    assert list(tmp_path.iterdir()) == []  # looking changes nothing


# The variables, the subject, words of what is found or advised. `{tmp}` is a directory with a file and a folder in it.
MISTAKES: list[tuple[dict[str, str], str, str]] = [
    ({"PORT": "99999"}, "settings", "PORT got '99999'; it takes 0 to 65535"),
    ({"PORT": "8080 tcp"}, "settings", "PORT got '8080 tcp'"),
    ({"RAILWAY_TOKEN": "Bearer 1234"}, "settings", "(hidden); it takes a token, as one word"),
    ({"PORT": '"8080"'}, "settings", "in quotes that are a part of it"),
    ({"PORT": "8080 # the usual one"}, "settings", "with a comment behind it that is a part of it"),
    ({"DATABASE_URL": "${{Postgres.DATABASE_URL}}"}, "settings", "with a reference in it that nothing has replaced"),
    ({"OGEL_SECRET": SECRET + " # do not lose"}, "settings", "OGEL_SECRET is with a comment behind it"),
    ({"RESEND_API_KEY": "${RESEND_API_KEY}"}, "settings", "RESEND_API_KEY is with a reference in it"),
    ({"\ufeffDATABASE_URL": "postgresql://h/d"}, "settings", "did you mean DATABASE_URL?"),
    ({"PORT": "$PORT"}, "settings", "PORT got '$PORT'"),
    ({"LOG_LEVEL": "verbose"}, "settings", "debug, info, warning or error"),
    ({"OGEL_AUTO_MIGRATE": "ja"}, "settings", "true or false"),
    ({"OGEL_DRAIN_SECONDS": "30s"}, "settings", "seconds, 0 to 600"),
    ({"OGEL_DRAIN_SECONDS": "5"}, "settings", "what is being sent at a restart may be sent twice"),
    ({"OGEL_TRUSTED_PROXIES": "my-proxy"}, "settings", "networks such as 10.0.0.0/8"),
    ({"OGEL_TRUSTED_PROXIES": "0.0.0.0/0"}, "settings", "holds every address"),
    ({"OGEL_RATE_WRONG_KEYS": "off"}, "settings", "may guess as fast as they like"),
    ({"OGEL_RATE_READ": "100 a second"}, "settings", "such as 1000/10s"),
    ({"OGEL_WEBHOOK_ALLOW_NETS": "::/0"}, "settings", "reaches your private network"),
    ({"OGEL_POOL_MIN": "50"}, "settings", "OGEL_POOL_MIN (50) is more than OGEL_POOL_MAX (20)"),
    ({"OGEL_QUEUE_HARD_LIMIT": "5000"}, "settings", "OGEL_QUEUE_SOFT_LIMIT (100,000) is more than"),
    ({"OGEL_MAX_EVENT_BYTES": "1048576", "OGEL_MAX_BODY_BYTES": "65536"}, "settings",
     "OGEL_MAX_EVENT_BYTES (1 MiB) is more than OGEL_MAX_BODY_BYTES (64 KiB)"),
    ({"OGEL_WORKER_MAX_MB": "20"}, "settings", "restarts for ever"),
    ({"DATABASE_URL": "postgresql://127.0.0.1:1/d"}, "settings", "DATABASE_URL is set and REDIS_URL is not"),
    ({"PGHOST": "127.0.0.1", "PGPORT": "1"}, "settings", "PGHOST is set and REDIS_URL is not"),
    ({"OGEL_BACKUP_CRON": "0 3 * * *"}, "settings", "is gone: OGEL_SCHEDULES=backups.create=<cron> took its place"),
    ({"REDIS_URL": "redis://127.0.0.1:1"}, "settings", "REDIS_URL is set and DATABASE_URL is not"),
    ({"OGEL_DRAIN_SECOND": "30"}, "settings", "did you mean OGEL_DRAIN_SECONDS?"),
    ({"REDIS_URI": "redis://h"}, "settings", "did you mean REDIS_URL?"),
    ({"database_url": "postgresql://h/d"}, "settings", "did you mean DATABASE_URL?"),
    ({"REDIS_HOST": "h", "REDIS_PASSWORD": "hunter2"}, "settings", "REDIS_PASSWORD, REDIS_HOST without REDIS_URL"),
    ({"PGPASSWORD": "hunter2"}, "settings", "PGPASSWORD without PGHOST"),
    ({"POSTGRES_HOST": "localhost:5432"}, "settings", "it holds a port, which has a variable of its own"),
    ({"SMTP_USERNAME": "me"}, "settings", "SMTP_USERNAME without SMTP_HOST"),
    ({"S3_BUCKET": "files"}, "settings", "S3_BUCKET without STORAGE_BACKEND"),
    ({"STORAGE_BACKEND": "s3", "S3_BUCKET": "files"}, "settings", "needs S3_ACCESS_KEY, S3_SECRET_KEY"),
    ({"STORAGE_BACKEND": "gcs"}, "settings", "local, s3, r2, railway, b2 or minio"),
    ({"TWILIO_AUTH_TOKEN": "hunter2"}, "settings", "set OGEL_SMS_PROVIDERS=twilio"),
    ({"OGEL_MAIL_PROVIDERS": "resend"}, "settings", "needs RESEND_API_KEY too"),
    ({"OGEL_MAIL_PROVIDERS": "sendgrid"}, "settings", "any of resend, smtp, outbox"),
    ({"OGEL_MAIL_FROM": "Ogel"}, "settings", "name@example.com"),
    ({"OGEL_MAIL_FROM": "a@b.de", "SMTP_URL": "mail.example.com:587"}, "settings", "SMTP_URL got 20 characters"),
    ({"TWILIO_FROM": "'Ogel'"}, "settings", "TWILIO_FROM is in quotes"),
    ({"RAILWAY_ENVIRONMENT": "production"}, "settings", "is on no volume"),
    ({"RAILWAY_ENVIRONMENT": "production", "REDIS_URL": "redis://:hunter2@x.proxy.rlwy.net:1"}, "network",
     "REDIS_URL leads to x.proxy.rlwy.net, which is public"),
    ({"RAILWAY_ENVIRONMENT": "production", "OGEL_HOST": "localhost"}, "settings", "nobody outside of this container"),
    ({**NOWHERE}, "secrets", "OGEL_ADMIN_KEY is not set"),
    ({**NOWHERE, "OGEL_ADMIN_KEY": KEY}, "secrets", "OGEL_SECRET is not set"),
    ({"OGEL_SECRET": "short"}, "settings", "OGEL_SECRET got 5 characters (hidden)"),
    ({"OGEL_SECRET": SECRET, "OGEL_ADMIN_KEY": SECRET}, "secrets", "OGEL_ADMIN_KEY is OGEL_SECRET"),
    ({"OGEL_SECRET": "a" * 32}, "secrets", "1 different characters"),
    ({"OGEL_SECRET": "change-me-please-change-me-now"}, "secrets", "words of an example"),
    ({"OGEL_ADMIN_KEY": "correct key with spaces 42 in it"}, "secrets", "no Authorization header"),
    ({"OGEL_SECRET": f'"{SECRET}"'}, "settings", "OGEL_SECRET is in quotes"),
    ({"TZ": "Europe/Berlinn"}, "time zone", "'Europe/Berlinn', which is no time zone"),
    ({"OGEL_DATA_DIR": "{tmp}/file"}, "data directory", "is not a directory"),
    ({"OGEL_DATA_DIR": "/proc/1/ogel"}, "data directory", "cannot be"),
    ({"OGEL_HOST": "203.0.113.7", "PORT": "8123"}, "port", "Cannot listen on '203.0.113.7'"),
    ({"OGEL_HOST": "*"}, "settings", "OGEL_HOST got '*'; it takes an address, or localhost"),
    ({"OGEL_HOST": "0.0.0.0:8080"}, "settings", "it holds a port, which has a variable of its own"),
    ({"OGEL_HOST": "db.example.com"}, "port", "OGEL_HOST takes an address of this machine"),
    ({"OGEL_DATA_DIR": "~/ogel"}, "settings", "a directory that is called ~"),
    ({"SENTRY_DSN": "https://hunter2@127.0.0.1:1/1"}, "sentry", "127.0.0.1"),
    ({"OGEL_PG_BIN": "{tmp}/folder"}, "embedded servers", "has no initdb"),
    ({"OGEL_MAIL_TEMPLATES": "{tmp}/nothing"}, "mail templates", "is not there"),
    ({"OGEL_MAIL_TEMPLATES": "{tmp}/file"}, "mail templates", "is not a directory"),
    ({"OGEL_MAIL_TEMPLATES": "{tmp}/folder"}, "mail templates", "holds no templates"),
    ({"SMTP_URL": "smtp+plain://127.0.0.1:1"}, "smtp", "127.0.0.1:1"),
    ({"SMTP_HOST": "mail.invalid"}, "smtp", "mail.invalid:587"),
    ({"OGEL_EGRESS_PROXY": "http://u:hunter2@127.0.0.1:1"}, "egress proxy", "without it no webhook leaves"),
    ({"WORKER_QUEUES": "webhook,audit"}, "queues", "did you mean webhooks?"),
    ({"WORKER_QUEUES": "webhooks;audit"}, "queues", "'webhooks;audit', which is no queue"),
    ({"OGEL_SCHEDULES": "backup.create=on"}, "schedules", "names 'backup.create'; did you mean backups.create?"),
    ({"OGEL_SCHEDULES": "cleanups.*=off"}, "schedules", "did you mean cleanup.*?"),
    ({"OGEL_SCHEDULES": "backups.create=on,cleanup.*=off"}, "settings", "separated by semicolons"),
    ({"OGEL_PORT": "8080"}, "settings", "did you mean PORT?"),
    ({"OGEL_SCHEDULES": "backups.create=every night"}, "schedules", "cron 'every night'"),
    ({"DATABASE_URL": "mysql://root:hunter2@h/d", "REDIS_URL": "redis://127.0.0.1:1"}, "settings", "another one"),
    ({**NOWHERE}, "postgres", "nothing listens there: check host and port in DATABASE_URL"),
    ({**NOWHERE, "DATABASE_URL": "postgresql://u:hunter2@db.invalid/d"}, "postgres", "no such host"),
    ({**NOWHERE, "DATABASE_URL": "postgresql://u@x.railway.internal/d"}, "postgres", "inside the Railway project"),
    ({**NOWHERE, "RAILWAY_ENVIRONMENT": "x"}, "postgres", "in a container, localhost is the container itself"),
    ({**NOWHERE}, "redis", "nothing listens there: check host and port in REDIS_URL"),
    ({**NOWHERE, "REDIS_URL": "redis://cache.invalid"}, "redis", "no such host"),
    ({"REDIS_URL": "redis://127.0.0.1:1?prefix=hunter2"}, "settings", "Ogel's keys take no prefix"),
    ({"MONGO_URL": "mongodb://u:hunter2@127.0.0.1:1"}, "mongo", "check MONGO_URL"),
    ({"STORAGE_BACKEND": "s3", "S3_ENDPOINT": "http://127.0.0.1:1", "S3_BUCKET": "files", "S3_ACCESS_KEY": "a",
      "S3_SECRET_KEY": "hunter2"}, "storage", "S3_ENDPOINT"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "subject", "said"), MISTAKES, ids=[f"{'+'.join(s)}: {said[:40]}" for s, _, said in MISTAKES]
)
def test_a_mistake_is_found(settings: dict[str, str], subject: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    found = wrong(
        at=tmp_path, **{name: value.replace("{tmp}", str(tmp_path)) for name, value in settings.items()}
    )
    text = [f"{each['detail']} | {each['advice']}" for each in found if each["subject"] == subject]
    assert any(said in each for each in text), found
    assert "hunter2" not in str(found)
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    "settings",
    [
        {"PORT": "0 "},
        {"PORT": "0\r"},
        {"LOG_LEVEL": "info\n"},
        {"OGEL_SECRET": f"{SECRET}\n", "OGEL_ADMIN_KEY": f" {KEY} "},
        {"TZ": "Europe/Berlin"},
        {"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"},
        {"OGEL_QUEUE_HARD_LIMIT": "0"},
        {"REDIS_URI": "redis://h", "OGEL_TEST_THINGS": "1"} | {"REDIS_URL": "redis://127.0.0.1:1?family=0"},
    ],
)
def test_what_is_no_mistake_of_the_settings_is_not_taken_for_one(
    settings: dict[str, str], tmp_path: Path
) -> None:
    found = wrong(at=tmp_path, **settings)
    about_itself = [each for each in found if each["subject"] in ("settings", "secrets", "time zone", "port")]
    assert [each["detail"] for each in about_itself if "is set and" not in each["detail"]] == []


def test_all_mistakes_are_told_at_once_and_everything_else_is_looked_at(tmp_path: Path) -> None:
    settings = {
        "PORT": "eighty",
        "LOG_LEVEL": "loud",
        "OGEL_POOL_MAX": "none",
        "OGEL_SECRET": "short",
        "OGEL_MISTYPED": "1",
        "WORKER_QUEUES": "mails",
        "SMTP_URL": "smtp+plain://127.0.0.1:1",
    }
    found = wrong(at=tmp_path, **settings)
    assert [each["subject"] for each in found] == ["settings"] * 5 + ["queues", "smtp"]
    shown = ogel_here("doctor", OGEL_DATA_DIR=str(tmp_path / "data"), **settings)
    lines = shown.out.splitlines()
    assert lines[0].split() == ["RESULT", "CHECK", "FOUND"]
    assert len([line for line in lines if line.startswith("FAIL")]) == 7
    assert lines[-1] == "7 to mend"
    told = ogel_here("settings", **settings)
    assert (told.code, told.out) == (2, "")
    assert [line.split()[1] for line in told.err.splitlines()] == [
        "PORT",
        "OGEL_SECRET",
        "LOG_LEVEL",
        "OGEL_POOL_MAX",
    ]


def test_what_a_url_says_to_others_is_mentioned_and_no_mistake(tmp_path: Path) -> None:
    seen = ogel_here(
        "doctor",
        "--json",
        DATABASE_URL="postgresql://127.0.0.1:1/d?pgbouncer=true",
        OGEL_DATA_DIR=str(tmp_path),
    )
    [note] = [each for each in findings(seen) if "pgbouncer" in each["detail"]]
    assert note["ok"]
    assert "DATABASE_URL" in note["detail"]


@pytest.mark.parametrize("what", ["a socket", "a web server"])
def test_a_port_that_something_else_listens_on(what: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        if what == "a web server":
            taken.settimeout(0)  # it takes connections, and never answers
        port = str(taken.getsockname()[1])
        [found] = wrong(at=tmp_path, PORT=port, OGEL_HOST="127.0.0.1")
    assert (found["subject"], port in found["detail"]) == ("port", True)


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    [found] = wrong(at=tmp_path)
    assert found["subject"] == "disk"
    assert found["detail"].startswith("976.6 KiB of")


def test_a_directory_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk that is mounted read-only, which root cannot write to either."""
    (tmp_path / "data").mkdir()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, os.strerror(30))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    [found] = wrong(at=tmp_path)
    assert (found["subject"], "Read-only file system" in found["detail"]) == ("data directory", True)


def test_few_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (256, 1024))
    [found] = wrong(at=tmp_path)
    assert (found["subject"], "1,024 files" in found["detail"]) == ("open files", True)


def test_a_check_that_fails_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("ogel.platform.platform.queue_names", fail)
    [found] = wrong(at=tmp_path, WORKER_QUEUES="mail")
    assert found["detail"] == "could not be checked: ZeroDivisionError: by zero"


@pytest.mark.parametrize(
    ("secret", "weak"),
    [
        (SECRET, False),
        (KEY, False),
        ("0f" * 16, True),
        ("ogel-admin-key-ogel-admin-key", True),
        ("insert-a-long-random-string-here", True),
        ("abcdefghijklmnopqrstuvwx", True),
        ("0123456789abcdef0123456789abcdef", True),
        ("my-super-secret-key-for-ogel", True),
        ("<paste your secret in here>", True),
        ("Qx7!Qx7!Qx7!Qx7!Qx7!Qx7!", True),
        ("8b1a9953c4611296a827abf8c47804d7", False),
        ("9007199254740993100000000019", False),
    ],
)
def test_what_makes_a_secret_weak(secret: str, weak: bool) -> None:
    assert (weakness(secret) is not None) is weak


FIT = Server(170000, "17.0", "UTF8", False, False, 100, 3, -1, -1, True, 0.0)


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (FIT, None),
        (FIT._replace(number=130011, version="13.11"), "13.11 is too old"),
        (FIT._replace(encoding="SQL_ASCII"), "SQL_ASCII"),
        (FIT._replace(recovering=True, read_only=True), "a replica"),
        (FIT._replace(read_only=True), "read-only"),
        (FIT._replace(may_create=False), "may not create"),
        (FIT._replace(search_path='"$user", public'), "a pooler leaves out"),
    ],
)
def test_a_postgres_to_live_in(server: Server, said: str | None) -> None:
    assert [said in each.detail for each in unfit(server) if said] == ([True] if said else [])


@pytest.mark.parametrize(
    ("server", "ok", "said"),
    [
        (FIT, None, None),
        (FIT._replace(roles_missing=["anon", "authenticated", "service_role"]), True, "not set up"),
        (FIT._replace(roles_missing=["anon"]), False, "missing: anon"),
        (FIT._replace(roles_not_granted=["anon", "authenticated"]), False, "act as anon, authenticated"),
        (FIT._replace(service_role_obeys=True), False, "policies hold for service_role"),
    ],
)
def test_roles_for_row_level_security(server: Server, ok: bool | None, said: str | None) -> None:
    found = [(each.ok, said in each.detail) for each in row_level_security(server) if said]
    assert found == ([(ok, True)] if said else [])


def test_where_objects_are_is_said_when_it_is_elsewhere() -> None:
    for schema in (None, "storage"):
        assert list(storage_schema(FIT._replace(storage_schema=schema))) == []
    [found] = storage_schema(FIT._replace(storage_schema="ogel_storage"))
    assert found.ok and found.detail.endswith("are in ogel_storage")


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"redis_version": "7.2.4", "role": "master", "maxmemory_policy": "noeviction"}, None),
        ({"redis_version": "6.0.16"}, "6.0.16 is too old"),
        ({"redis_version": "7.2.4", "role": "slave"}, "a replica"),
        ({"redis_version": "7.2.4", "maxmemory_policy": "allkeys-lru"}, "eviction policy is allkeys-lru"),
        ({"redis_version": "7.2.4", "maxmemory": 100, "used_memory": 99}, "99% of its maxmemory"),
        ({"redis_version": "7.2.4", "redis_mode": "cluster"}, "a cluster"),
        ({}, None),
    ],
)
def test_a_redis_to_lean_on(info: dict[str, Any], said: str | None) -> None:
    assert [said in each.detail for each in unfit_redis(info) if said] == ([True] if said else [])


def test_clocks_that_differ() -> None:
    assert list(clock("Redis", 100.0, 101.0, 102.0)) == []
    [found] = clock("Redis", 100.0, 161.0, 162.0)
    assert found.detail == "Redis's clock is 61 s behind this machine's"
    [found] = clock("Redis", 4000.0, 161.0, 162.0)
    assert "3,838 s ahead of" in found.detail


@contextmanager
def another_database(url: str, *statements: str) -> Iterator[str]:
    """On the same server, made by the first of the statements, in which `{name}` stands for its name."""
    name = f"doctor_{time.time_ns()}"
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.format(name=name).encode())
        try:
            yield url.replace(f"/{connection.info.dbname}", f"/{name}")
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.parametrize(
    ("statements", "subject", "said"),
    [
        (["CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"], "postgres", "LATIN1"),
        (["CREATE DATABASE {name}", "ALTER DATABASE {name} SET default_transaction_read_only = on"], "postgres",
         "transactions are read-only"),
        (["CREATE DATABASE {name} CONNECTION LIMIT 5"], "postgres connections", "the server lets 5 in"),
        (["CREATE DATABASE {name}"], "schema", "run `ogel migrate`"),
    ],
)  # fmt: skip
def test_a_database_that_will_not_do(
    statements: list[str], subject: str, said: str, empty_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with another_database(empty_database_url, *statements) as url:
        found = wrong(
            at=tmp_path, DATABASE_URL=url, REDIS_URL=redis_url, OGEL_ADMIN_KEY=KEY, OGEL_SECRET=SECRET
        )
    assert any(each["subject"] == subject and said in f"{each['detail']} {each['advice']}" for each in found)


def test_a_database_that_is_not_there_and_a_user_that_is_not(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    rest = {"REDIS_URL": redis_url, "OGEL_ADMIN_KEY": KEY, "OGEL_SECRET": SECRET}
    with psycopg.connect(database_url) as connection:
        name = connection.info.dbname
    found = wrong(at=tmp_path, DATABASE_URL=database_url.replace(f"/{name}", "/no_such"), **rest)
    [postgres] = [each for each in found if each["subject"] == "postgres"]
    assert "the database that DATABASE_URL names is not there" in postgres["advice"]
    assert [each["subject"] for each in found] == ["postgres", "schema"]


def test_a_redis_database_that_is_not_there_and_one_that_evicts(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    rest = {"DATABASE_URL": database_url, "OGEL_ADMIN_KEY": KEY, "OGEL_SECRET": SECRET}
    [found] = wrong(at=tmp_path, REDIS_URL=redis_url.split("?")[0].rstrip("/0").rstrip("/") + "/999", **rest)
    assert (found["subject"], "no database of this number" in found["advice"]) == ("redis", True)
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            [found] = wrong(at=tmp_path, REDIS_URL=redis_url, **rest)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert "allkeys-lru" in found["detail"]


def test_a_bucket_that_is_not_there_and_a_key_that_is_none(seaweed: Seaweed, tmp_path: Path) -> None:
    assert wrong(at=tmp_path, **seaweed.environment) == []
    seen = ogel_here("doctor", "--json", OGEL_DATA_DIR=str(tmp_path), **seaweed.environment)
    [well] = [each for each in findings(seen) if each["subject"] == "storage"]
    assert well["detail"].endswith("takes, gives and deletes objects, by signed URLs, too")
    [found] = wrong(at=tmp_path, **{**seaweed.environment, "S3_BUCKET": "no-such-bucket"})
    assert found["subject"] == "storage"
    [found] = wrong(at=tmp_path, **{**seaweed.environment, "S3_SECRET_KEY": "hunter2"})
    assert found["subject"] == "storage"
    assert "hunter2" not in str(found)


def test_a_mail_server_is_asked_to_let_us_in(tmp_path: Path) -> None:
    with MailServer() as server:
        url = f"smtp+plain://127.0.0.1:{server.port}"
        seen = ogel_here("doctor", "--json", SMTP_URL=url, OGEL_DATA_DIR=str(tmp_path))
    [smtp] = [each for each in findings(seen) if each["subject"] == "smtp"]
    assert (smtp["ok"], smtp["detail"]) == (True, f"127.0.0.1:{server.port} lets us in")


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"OGEL_MAIL_FROM": "Shop <shop@example.com>"}, "example.com"),
        ({"OGEL_MAIL_FROM": "shop@example.com", "OGEL_MAIL_HELO": "mx.example.net"}, "mx.example.net"),
        ({}, "localhost.localdomain"),
    ],
)
def test_a_mail_server_hears_the_name_that_letters_give_it(
    tmp_path: Path, settings: dict[str, str], name: str
) -> None:
    with ScriptedSmtp({}) as server:
        url = f"smtp+plain://127.0.0.1:{server.port}"
        ogel_here("doctor", "--json", SMTP_URL=url, OGEL_DATA_DIR=str(tmp_path), **settings)
    assert server.said[0] == f"EHLO {name}"


def test_a_mail_server_that_does_not_like_our_name_is_told(tmp_path: Path) -> None:
    with ScriptedSmtp(
        {"EHLO": "504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname"}
    ) as server:
        [found] = wrong(SMTP_URL=f"smtp+plain://127.0.0.1:{server.port}", at=tmp_path)
    assert found["subject"] == "smtp" and "need fully-qualified hostname" in found["detail"]


def test_a_running_suite_is_looked_at(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    settings = {"OGEL_DATA_DIR": data, "OGEL_SECRET": SECRET, "OGEL_ADMIN_KEY": KEY}
    with Ogel("up", log=tmp_path / "ogel.log", **settings) as running:
        settings["PORT"] = str(running.port)

        def looked_at() -> list[dict[str, Any]] | None:
            """Once its workers have said that they are there, which is after it is ready."""
            seen = ogel_here("doctor", "--json", **settings)
            return findings(seen) if seen.code == 0 else None

        found = {each["subject"]: each for each in eventually(looked_at, 20, "a suite that is well") or ()}
        assert found["port"]["detail"] == f"an Ogel answers on {running.port}, and is ready"
        assert {
            "postgres",
            "schema",
            "redis",
            "disk",
            "open files",
            "sealed values",
            "workers",
            "schedules",
        } <= found.keys()
        assert found["workers"]["detail"] == "every queue is served"
        [port] = wrong(at=tmp_path / "another", PORT=str(running.port), OGEL_HOST="127.0.0.1")
        assert port["detail"].startswith(f"an Ogel answers on {running.port} that does not run in ")
        endpoint = {"url": "http://127.0.0.1:9/", "events": ["a.*"]}
        assert running.api("POST", "/api/webhooks", endpoint, key=KEY).status == 201
        seen = ogel_here("doctor", "--json", **{**settings, "OGEL_SECRET": OTHER})
        [sealed] = [each for each in findings(seen) if each["subject"] == "sealed values"]
        assert not sealed["ok"]
        assert "1 of webhook_secrets.sealed (key " in sealed["detail"]
