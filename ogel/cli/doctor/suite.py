"""The suite at work, as its database and Redis know it: sealed values, queues, workers, schedules."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from ogel.cli.doctor.finding import Finding, ill, well
from ogel.cli.doctor.patient import Patient
from ogel.cli.times import length, relative
from ogel.environ import meant_among
from ogel.features.jobs.settings import JobsSettings
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import ConfigError, OgelError

if TYPE_CHECKING:
    from ogel.operators import Services
    from ogel.runtime.jobs.depths import QueueDepth

# One attempt, which has a limit of its own: what does not answer now is told by who asks for just that.
_CONNECT_SECONDS = 0.0
_LATE = timedelta(minutes=5)
_LONG_PAUSE = timedelta(hours=1)


def worker_queues(patient: Patient) -> Sequence[Finding]:
    """Those of WORKER_QUEUES that there are not."""
    from ogel.platform.platform import queue_names

    wanted = patient.given.worker_queues
    if not wanted:
        return []
    known = queue_names()
    findings = []
    for queue in wanted:
        if queue not in known:
            meant = meant_among(queue, known)
            advice = f"did you mean {meant}?" if meant else f"there are {', '.join(known)}"
            findings.append(ill("queues", f"WORKER_QUEUES names {queue!r}, which is no queue", advice))
    return findings or [well("queues", f"WORKER_QUEUES names {', '.join(wanted)}")]


def schedules(patient: Patient) -> Sequence[Finding]:
    """What OGEL_SCHEDULES says."""
    from ogel.platform.platform import check_schedules

    if not patient.given.schedules:
        return []
    try:
        check_schedules(patient.given)
    except ConfigError as error:
        advice = "correct OGEL_SCHEDULES: an API, a scheduler and most workers do not start with it"
        return [ill("schedules", line, advice) for line in error.message.splitlines()]
    return [well("schedules", "OGEL_SCHEDULES names those there are, at times there are")]


def embedded_servers(patient: Patient) -> Sequence[Finding]:
    from ogel.adapters.embedded.binaries import find_postgres, find_redis

    if not patient.embedded:
        return []
    settings = patient.given
    try:
        found = []
        if patient.misses("database_url"):
            found.append(str(find_postgres(settings.postgres_bin)))
        if patient.misses("redis_url"):
            found.append(str(find_redis(settings.redis_bin)))
    except ConfigError as error:
        return [ill("embedded servers", error.message, "or set DATABASE_URL and REDIS_URL")]
    return [well("embedded servers", ", ".join(found))]


async def at_work(patient: Patient) -> Sequence[Finding]:
    """Nothing where the database does not answer or has another schema: that is told by who asks for just that."""
    from ogel.operators import services

    settings = patient.settings
    if settings.database_url is None:
        return []
    try:
        async with services(dataclasses.replace(settings, connect_seconds=_CONNECT_SECONDS)) as platform:
            return [*await _sealed(patient, platform), *await _queues(patient, platform)]
    except OgelError:
        return []


async def _sealed(patient: Patient, platform: Services) -> Sequence[Finding]:
    from ogel.runtime.secrets.sealed import SealedValues
    from ogel.runtime.secrets.vault import Vault

    settings = patient.settings
    if settings.secret is None:
        return []
    columns = [column for feature in platform.features.all() for column in feature.sealed]
    vault = Vault(settings.secret, settings.former_secrets)
    uses = await SealedValues(platform.core.database, vault, columns).status()
    unknown = [use for use in uses if use.state == "unknown"]
    if not unknown:
        return [well("sealed values", f"OGEL_SECRET opens all of {sum(use.count for use in uses):,}")]
    where = ", ".join(f"{use.count:,} of {use.column} (key {use.key})" for use in unknown)
    return [
        ill(
            "sealed values",
            f"OGEL_SECRET is not the one the data was sealed under: it does not open {where}",
            "set OGEL_SECRET to what it was, or add that to OGEL_SECRET_OLD; or this is another suite's database",
            "secret-rotation.md",
        )
    ]


async def _queues(patient: Patient, platform: Services) -> Sequence[Finding]:
    depths = await platform.core.depths.all()
    workers = await platform.job_service.workers() if patient.settings.redis_url else None
    served = None if workers is None else {queue for worker in workers for queue in worker.queues}
    runs = patient.answers is not None or patient.pid is not None or bool(served)
    findings = [*_waiting(patient, depths, served), *await _forgotten(platform)]
    findings += _unserved(platform, served, runs)
    if runs:
        findings += await _late_schedules(platform)
    return findings


def _waiting(
    patient: Patient, depths: Mapping[str, QueueDepth], served: set[str] | None
) -> Iterator[Finding]:
    for queue, depth in depths.items():
        if depth.oldest_seconds <= patient.settings.of(JobsSettings).alert_queue_seconds:
            continue
        alone = served is not None and queue not in served
        advice = (
            f"start `ogel worker {queue}`"
            if alone
            else "more workers, or look at what they wait for: `ogel jobs`"
        )
        waits = f"{depth.pending:,} jobs wait, the oldest for {length(depth.oldest_seconds)}"
        yield ill("queues", f"{queue}: {waits}", advice, "queue-backlog.md")


async def _forgotten(platform: Services) -> Sequence[Finding]:
    """Pauses that are no alert, because somebody wanted them, and that nobody may remember."""
    latest = utc_now() - _LONG_PAUSE
    return [
        ill(
            "queues",
            f"{queue.name}: paused {relative(queue.paused_at)}, and {queue.pending + queue.held:,} jobs wait",
            f"`ogel queues resume {queue.name}` when it may go on",
            "queue-backlog.md",
        )
        for queue in await platform.job_service.queues()
        if queue.paused_at is not None and queue.paused_at < latest and queue.pending + queue.held
    ]


def _unserved(platform: Services, served: set[str] | None, runs: bool) -> Iterator[Finding]:
    if served is None:
        return
    missing = [queue for queue in platform.queue_names if queue not in served]
    if not missing:
        yield well("workers", "every queue is served")
    elif runs:
        yield ill(
            "workers",
            f"no live worker serves {', '.join(missing)}",
            "start `ogel worker` for them, or `--all`",
            "queue-backlog.md",
        )
    else:
        yield well("workers", "none lives, and nothing of the suite seems to run")


async def _late_schedules(platform: Services) -> Sequence[Finding]:
    """By what the built-in ones should have done since they last ran."""
    declared = platform.ticker().declared
    known = {each.name: each for each in await platform.schedules.list(None, 1000) if each.built_in}
    latest = utc_now() - _LATE
    late = []
    for name, schedule in declared.items():
        last = known[name].last_tick_at if name in known else None
        due = schedule.ticks.next_tick(last) if schedule.enabled and last is not None else None
        if due is not None and due < latest:
            late.append(name)
    if late:
        detail = f"{len(late)} did not run when they were due: {', '.join(late[:3])}{' …' if len(late) > 3 else ''}"
        return [ill("schedules", detail, "start `ogel scheduler`; any number may run")]
    return [well("schedules", "none is late")]
