"""`ogel jobs`"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import click
import msgspec

from ogel.cli.operator import (
    after_option,
    api,
    identifier,
    json_option,
    limit_option,
    say,
    say_json,
    say_list,
    say_one,
    yes_option,
)
from ogel.cli.tables import Column, Table, show_fields
from ogel.cli.times import both, relative

if TYPE_CHECKING:
    from ogel.features.jobs.job import JobInfo

STATUSES = ("pending", "running", "held", "dead", "done", "cancelled")
_TABLE: Table[JobInfo] = Table(
    "no jobs",
    [
        Column("id"),
        Column("status"),
        Column("queue"),
        Column("kind"),
        Column("attempts", lambda job: _attempts(job), right=True),
        Column("due", lambda job: job.scheduled_at and relative(job.scheduled_at)),
        Column("error", lambda job: job.last_error, gives=True),
    ],
)
queue_option = click.option("--queue", type=identifier, metavar="NAME", help="Of this queue.")
kind_option = click.option("--kind", metavar="KIND", help="Of this kind.")


@click.group("jobs")
def command() -> None:
    """Look at jobs, retry, cancel and purge them."""


@command.command("list")
@queue_option
@kind_option
@click.option(
    "--status", type=click.Choice(STATUSES), help="That stand so; done and cancelled ones if they are kept."
)
@after_option
@limit_option
@json_option
def list_jobs(limit: int, after: str | None, as_json: bool, **filters: str | None) -> None:
    """Jobs, newest first."""
    from ogel.features.jobs.job import JobInfo

    with api() as ogel:
        found = ogel.listed("/api/jobs", limit, after, filters)
    say_list(found, as_json, JobInfo, _TABLE.show)


@command.command("show")
@click.argument("id", type=identifier)
@json_option
def show(id: str, as_json: bool) -> None:
    """One job."""
    from ogel.features.jobs.job import JobInfo

    with api() as ogel:
        answer = ogel.request("GET", f"/api/jobs/{id}")
    say_one(answer, as_json, JobInfo, show_job)


@command.command("retry")
@click.argument("id", type=identifier, required=False)
@click.option(
    "--dead", "all_dead", is_flag=True, help="All dead ones of --queue, and of --kind if you say one."
)
@queue_option
@kind_option
@json_option
def retry(id: str | None, all_dead: bool, queue: str | None, kind: str | None, as_json: bool) -> None:
    """Run one job now, with all its attempts before it; or all dead ones of a queue."""
    if (id is None) != all_dead:
        raise click.UsageError("name a job, or say --dead")
    if id is not None:
        if queue or kind:
            raise click.UsageError("--queue and --kind go with --dead")
        _do(id, "retry", as_json)
    else:
        _all("retry", "retried", as_json, {"queue": _needed(queue), "kind": kind})


@command.command("cancel")
@click.argument("id", type=identifier)
@json_option
def cancel(id: str, as_json: bool) -> None:
    """Stop a job that runs, within seconds; drop one that waits or is dead."""
    _do(id, "cancel", as_json)


@command.command("purge")
@queue_option
@kind_option
@click.option("--status", type=click.Choice(["dead", "pending"]), default="dead", show_default=True)
@yes_option
@json_option
def purge(
    queue: str | None, kind: str | None, status: Literal["dead", "pending"], yes: bool, as_json: bool
) -> None:
    """Drop all dead, or all waiting, jobs of a queue for good."""
    name = _needed(queue)
    if not yes:
        click.confirm(f"drop every {status} job of {name} for good?", abort=True, err=True)
    _all("purge", "dropped", as_json, {"queue": name, "kind": kind, "status": status})


def show_job(job: JobInfo) -> None:
    show_fields(
        [
            ("id", job.id),
            ("status", "running, asked to end" if job.cancelled_at else job.status),
            ("queue", job.queue),
            ("kind", job.kind),
            ("key", job.key),
            ("priority", job.priority),
            ("attempts", _attempts(job)),
            ("progress", job.progress and _progress(job)),
            ("error", job.last_error),
            ("created", both(job.created_at)),
            ("due", job.scheduled_at and both(job.scheduled_at)),
            ("leased until", job.leased_until and both(job.leased_until)),
            ("finished", job.finished_at and both(job.finished_at)),
            ("kept until", job.expires_at and both(job.expires_at)),
            ("payload", _json(job.payload)),
            ("result", _json(job.result)),
        ]
    )


def _needed(queue: str | None) -> str:
    if queue is None:
        raise click.UsageError("say --queue")
    return queue


def _do(id: str, verb: str, as_json: bool) -> None:
    with api() as ogel:
        answer = ogel.request("POST", f"/api/jobs/{id}/{verb}")
    if as_json:
        say(answer)
    else:
        click.echo(f"{id} {answer.as_(_Done).status}")


class _Done(msgspec.Struct):
    status: str


def _all(verb: str, done: str, as_json: bool, which: Mapping[str, object]) -> None:
    """Batch after batch, until nothing is left; what others add meanwhile is not waited for."""
    from ogel.features.jobs.job import Some

    total, more = 0, True
    with api() as ogel:
        while more:
            some = ogel.request("POST", f"/api/jobs/{verb}", body=which).as_(Some)
            total, more = total + some.jobs, some.more
            if more:
                click.echo(f"{total} jobs {done} …", err=True)
    say_json({"jobs": total}) if as_json else click.echo(f"{total} jobs {done}")


def _attempts(job: JobInfo) -> str:
    return f"{job.attempts}/{job.max_attempts}" if job.max_attempts else str(job.attempts)


def _progress(job: JobInfo) -> str:
    progress = job.progress
    assert progress is not None
    total = "" if progress.total is None else f" of {progress.total:g}"
    return f"{progress.done:g}{total} {progress.note}".rstrip()


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
