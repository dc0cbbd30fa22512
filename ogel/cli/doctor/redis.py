"""Redis or Valkey: whether it answers, takes writes, and keeps what it is given."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ogel.cli.doctor.advice import advice_on, containers_hint, reason_of
from ogel.cli.doctor.clock import clock
from ogel.cli.doctor.finding import Finding, ill, well
from ogel.cli.doctor.patient import Patient
from ogel.runtime.metrics.redis_stats import server_of

_SECONDS = 3.0
_LEAST_VERSION = (6, 2)
_FULL_SHARE = 0.95
_SUSPENDED = "rq:suspended"  # as RQ calls it, which is not imported for a word
_CHECK = "check {variable}; until Redis answers, work is found by polling and realtime waits"
_ADVICE = (
    (
        "WRONGPASS|invalid username-password|invalid password",
        "the user or the password in {variable} is another one",
    ),
    ("without any password|no password is set", "the server has no password: take it out of {variable}"),
    (
        "[Aa]uthentication required|NOAUTH|already authenticated",
        "the server wants a password: add it to {variable}, or set REDIS_PASSWORD",
    ),
    ("DB index|invalid DB", "the server has no database of this number: correct it in {variable}"),
    ("NOPERM|no permissions", "the user in {variable} may not do what Ogel needs: give it +@all ~* &*"),
    (
        "SSL|TLS|certificate|wrong version number",
        "redis:// is without TLS and rediss:// with: correct {variable}",
    ),
    ("not known|resolve|No address|Name or service", "no such host: check its name in {variable}"),
    ("refused", "nothing listens there: check host and port in {variable}, and that the server runs"),
    ("[Cc]onnection closed|reset", "what listens there hangs up: no Redis, or one with TLS (rediss://)"),
    (
        "[Tt]imeout|timed out",
        "nothing answers there: a wrong address in {variable}, a firewall, or TLS on one side only",
    ),
    ("Protocol Error|InvalidResponse", "what listens there is no Redis: check the port in {variable}"),
)


async def redis(patient: Patient) -> Sequence[Finding]:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    url = patient.settings.redis_url
    if url is None:
        return []
    client: Redis = Redis.from_url(
        url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS, decode_responses=True
    )
    try:
        await client.ping()
        info = await client.info()
        asked_at = time.time()
        seconds, micros = await client.time()
        answered_at = time.time()
        suspended = bool(await client.exists(_SUSPENDED))
    except (RedisError, OSError, ValueError) as error:
        reason = reason_of(error)
        variable = patient.variable("redis_url") or "the log of the embedded server"
        advice = advice_on(reason, _ADVICE, _CHECK).format(variable=variable)
        return [ill("redis", reason, advice + containers_hint(patient, url, reason), "redis-away.md")]
    finally:
        await client.aclose()
    return [
        well("redis", " ".join(server_of(info))),
        *unfit(info),
        *_suspension(suspended),
        *clock("Redis", seconds + micros / 1e6, asked_at, answered_at),
    ]


def _suspension(suspended: bool) -> Iterator[Finding]:
    if suspended:
        yield ill(
            "workers",
            "they are suspended, by `rq suspend`: none begins a job",
            '`rq resume --url "$REDIS_URL"` when they may go on',
            "queue-backlog.md",
        )


def unfit(info: Mapping[str, Any]) -> Iterator[Finding]:
    version = tuple(int(part) for part in re.findall(r"[0-9]+", str(info.get("redis_version", "")))[:2])
    if version and version < _LEAST_VERSION:
        yield ill("redis", f"version {info['redis_version']} is too old", "use Redis 6.2 or newer, or Valkey")
    if info.get("role") in ("slave", "replica"):
        yield ill("redis", "the server is a replica, which takes no writes", "name the primary")
    if info.get("redis_mode") == "cluster" or info.get("cluster_enabled") == 1:
        yield ill(
            "redis",
            "the server is a cluster, which Ogel does not speak to",
            "use one server, or a primary with replicas",
        )
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        yield ill(
            "redis",
            f"its eviction policy is {policy}: short of memory it drops bells, schedules and workers' names",
            "CONFIG SET maxmemory-policy noeviction, and in its configuration",
        )
    most, used = info.get("maxmemory", 0), info.get("used_memory", 0)
    if most and used > _FULL_SHARE * most:
        yield ill(
            "redis",
            f"it has used {used / most:.0%} of its maxmemory",
            "raise maxmemory, or find what fills it",
            "redis-away.md",
        )
