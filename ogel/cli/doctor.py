"""`ogel doctor`"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

import click

from ogel.cli.process import event_loop
from ogel.environ import Sourced, read_settings, unknown_names
from ogel.kernel.errors import ConfigError, OgelError
from ogel.settings import Settings, require_secrets


@dataclass(frozen=True, slots=True)
class Finding:
    """`advice` is what to do about it; None when nothing is wrong."""

    subject: str
    ok: bool
    detail: str
    advice: str | None = None


Question = Callable[[Settings], Awaitable[str]]


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(as_json: bool) -> None:
    """Check settings, servers and schema, and say what is missing. Exit 0 when all is well, else 1."""
    findings = _examine()
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.subject}: {finding.detail}")
            if finding.advice:
                click.echo(f"      → {finding.advice}")
    sys.exit(0 if all(finding.ok for finding in findings) else 1)


def _examine() -> list[Finding]:
    try:
        sourced = read_settings(os.environ)
    except ConfigError as error:
        return [Finding("settings", False, error.message, "correct the variable named")]
    settings = sourced.settings
    findings = [_variables()]
    if settings.schedules:
        findings.append(_schedules(settings))
    findings.append(_embedded_binaries(settings) if settings.embedded else _secrets(settings))
    with event_loop() as runner:
        findings += [runner.run(_ask(subject, ask, settings)) for subject, ask in _questions(sourced)]
    return findings


def _questions(sourced: Sourced) -> list[tuple[str, Question]]:
    settings = sourced.settings
    questions: list[tuple[str, Question]] = []
    if settings.database_url is not None:
        questions += [("postgres", _postgres), ("schema", _schema)]
    if settings.redis_url is not None:
        questions.append(("redis", _redis))
    if settings.mongo_url is not None:
        questions.append(("mongo", _mongo))
    if sourced.sources["storage_backend"] is not None:
        questions.append(("storage", _storage))
    return questions


def _variables() -> Finding:
    unknown = unknown_names(os.environ)
    if unknown:
        return Finding(
            "settings", False, f"unknown: {', '.join(unknown)}", "`ogel settings` lists those that exist"
        )
    return Finding("settings", True, "every variable can be read")


def _schedules(settings: Settings) -> Finding:
    from ogel.platform import check_schedules

    try:
        check_schedules(settings)
    except ConfigError as error:
        advice = "correct OGEL_SCHEDULES: an API and a scheduler do not start with it"
        return Finding("schedules", False, error.message, advice)
    return Finding("schedules", True, "OGEL_SCHEDULES names those there are, at times there are")


def _secrets(settings: Settings) -> Finding:
    try:
        require_secrets(settings)
    except ConfigError as error:
        advice = "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        return Finding("secrets", False, error.message, advice)
    return Finding("secrets", True, "OGEL_ADMIN_KEY and OGEL_SECRET are long enough")


def _embedded_binaries(settings: Settings) -> Finding:
    from ogel.adapters.embedded.binaries import find_postgres, find_redis

    try:
        found = []
        if settings.database_url is None:
            found.append(str(find_postgres(settings.postgres_bin)))
        if settings.redis_url is None:
            found.append(str(find_redis(settings.redis_bin)))
    except ConfigError as error:
        return Finding("embedded servers", False, error.message)
    return Finding("embedded servers", True, ", ".join(found))


async def _ask(subject: str, question: Question, settings: Settings) -> Finding:
    import psycopg
    import redis

    try:
        return Finding(subject, True, await question(settings))
    except (psycopg.Error, redis.RedisError, OSError, OgelError) as error:
        return Finding(subject, False, str(error).strip().splitlines()[0], _ADVICE[subject])


_ADVICE = {
    "postgres": "check DATABASE_URL, and that this machine reaches it (on Railway: the private name, same project)",
    "schema": "run `ogel migrate`",
    "redis": "check REDIS_URL; until Redis answers, work is found by polling and realtime waits",
    "mongo": "check MONGO_URL, and that this machine reaches it",
    "storage": "check STORAGE_BACKEND with S3_*, or make OGEL_DATA_DIR a writable directory",
}


async def _postgres(settings: Settings) -> str:
    from psycopg import AsyncConnection

    from ogel.adapters.postgres import connection_arguments

    assert settings.database_url
    async with await AsyncConnection.connect(
        settings.database_url, **connection_arguments(settings.database_url)
    ) as connection:
        row = await (await connection.execute("SHOW server_version")).fetchone()
    return f"PostgreSQL {row[0] if row else '?'}"


async def _schema(settings: Settings) -> str:
    from ogel.adapters.migrations import read_migrations, wait_for_schema
    from ogel.platform import MIGRATIONS

    assert settings.database_url
    migrations = read_migrations(MIGRATIONS)
    await wait_for_schema(settings.database_url, migrations, seconds=0)
    return f"at {migrations[-1].name}"


async def _redis(settings: Settings) -> str:
    from ogel.adapters.redis_info import RedisInfo

    assert settings.redis_url
    info = RedisInfo(settings.redis_url)
    try:
        await info.ping()
        stats = await info.stats() or {}
    finally:
        await info.close()
    policy = stats.get("eviction_policy", "noeviction")
    warning = "" if policy == "noeviction" else f"; eviction policy {policy} may drop bells and schedules"
    return f"version {stats.get('version', '?')}{warning}"


async def _mongo(settings: Settings) -> str:
    from ogel.adapters.mongo import Mongo

    assert settings.mongo_url
    mongo = Mongo(settings.mongo_url)
    try:
        return f"version {await mongo.version()}"
    finally:
        await mongo.close()


async def _storage(settings: Settings) -> str:
    from ogel.outside import bucket_of, storage_directory

    if settings.storage_backend == "local":
        from ogel.adapters.storage.local import check_writable

        directory = storage_directory(settings)
        check_writable(directory)
        return f"{directory} can be written to"
    from ogel.adapters.storage.s3 import check_bucket

    bucket = bucket_of(settings)
    await check_bucket(bucket)
    return f"bucket {bucket.name} is there"
