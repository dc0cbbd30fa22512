"""`ogel schedules`"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import click

from ogel.cli.named import in_options
from ogel.cli.operator import api, json_option, limit_option, say, say_list, say_one
from ogel.cli.tables import Column, Table, show_fields
from ogel.cli.times import absolute, both, length, relative

if TYPE_CHECKING:
    from ogel.cli.client import Answer
    from ogel.features.schedules.schedule import ScheduleInfo

# How errors call the fields that are no options of the same name.
_OPTIONS = {
    "name": "NAME",
    "cron": "CRON",
    "event": "--event",
    "event.data": "--data",
    "event.subject": "--subject",
    "job": "--job",
    "job.payload": "--payload",
}
_NAME = re.compile(r"[a-z0-9_.-]{1,64}")
_TABLE: Table[ScheduleInfo] = Table(
    "no schedules",
    [
        Column("name"),
        Column("cron"),
        Column("zone", lambda each: each.timezone),
        Column("causes", lambda each: _causes(each), gives=True),
        Column("last", lambda each: relative(each.last_tick_at)),
        Column("outcome", lambda each: each.last_outcome),
        Column("next", lambda each: relative(each.next_tick_at)),
        Column("state", lambda each: _state(each)),
    ],
)


def _name(value: str) -> str:
    if _NAME.fullmatch(value) is None:
        raise click.BadParameter(f"{value!r} is no schedule's name: a-z, 0-9, _, - and dots, 64 at most")
    return value


_name_argument = click.argument("name", type=_name)


@click.group("schedules", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Make, list, run, pause and delete schedules; without a command, list them."""
    if context.invoked_subcommand is None:
        context.invoke(list_schedules)


@command.command("list")
@click.option("--after", type=_name, metavar="NAME", help="Begin after this one.")
@limit_option
@json_option
def list_schedules(limit: int = 50, after: str | None = None, as_json: bool = False) -> None:
    """All schedules by name, built-in ones too."""
    from ogel.features.schedules.schedule import ScheduleInfo

    with api() as ogel:
        schedules = ogel.listed("/api/schedules", limit, after)
    say_list(schedules, as_json, ScheduleInfo, _TABLE.show, "name")


@command.command("show")
@_name_argument
@json_option
def show(name: str, as_json: bool) -> None:
    """One schedule, how its last run went, and its next ticks."""
    from ogel.features.schedules.schedule import ScheduleInfo

    with api() as ogel:
        answer = ogel.request("GET", f"/api/schedules/{name}")
    say_one(answer, as_json, ScheduleInfo, show_schedule)


@command.command("create")
@_name_argument
@click.argument("cron")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="Such as Europe/Berlin.")
@click.option("--event", "event_type", metavar="TYPE", help="Publish an event of this type at each tick.")
@click.option("--data", metavar="JSON", help="Of the event.")
@click.option("--subject", help="Of the event.")
@click.option("--job", "kind", metavar="KIND", help="Or enqueue a job of this kind.")
@click.option("--payload", metavar="JSON", help="Of the job: an object.")
@click.option("--description", default="")
@click.option("--paused", is_flag=True, help="Without ticks until it is resumed.")
@json_option
def create(
    name: str,
    cron: str,
    timezone: str,
    event_type: str | None,
    data: str | None,
    subject: str | None,
    kind: str | None,
    payload: str | None,
    description: str,
    paused: bool,
    as_json: bool,
) -> None:
    """Make a schedule: CRON is '30 2 * * mon-fri', or @daily and such."""
    if (event_type is None) == (kind is None):
        raise click.UsageError("say --event or --job, and not both")
    if (event_type is None and (data or subject)) or (kind is None and payload):
        raise click.UsageError("--data and --subject are of an --event, --payload is of a --job")
    wanted: dict[str, Any] = {
        "name": name,
        "cron": cron,
        "timezone": timezone,
        "description": description,
        "enabled": not paused,
    }
    if event_type is not None:
        wanted["event"] = {"type": event_type, "data": _json(data, "--data"), "subject": subject}
    else:
        wanted["job"] = {"kind": kind, "payload": _json(payload, "--payload") if payload else {}}
    with in_options(_OPTIONS), api() as ogel:
        answer = ogel.request("POST", "/api/schedules", body=wanted)
    _say_next(answer, as_json)


@command.command("run")
@_name_argument
@json_option
def run(name: str, as_json: bool) -> None:
    """Run a schedule now, beside its ticks."""
    from ogel.features.schedules.schedule import StartedRun

    with api() as ogel:
        answer = ogel.request("POST", f"/api/schedules/{name}/run")
    if as_json:
        say(answer)
    else:
        started = answer.as_(StartedRun)
        click.echo(f"{name}: {f'job {started.job}' if started.job else f'event {started.event}'}")


@command.command("pause")
@_name_argument
@json_option
def pause(name: str, as_json: bool) -> None:
    """No ticks until it is resumed; those in between are not made up for."""
    _switch(name, "pause", as_json)


@command.command("resume")
@_name_argument
@json_option
def resume(name: str, as_json: bool) -> None:
    """Go on with the next tick."""
    _switch(name, "resume", as_json)


@command.command("delete")
@_name_argument
def delete(name: str) -> None:
    """End a schedule for good; what its ticks caused goes on."""
    with api() as ogel:
        ogel.request("DELETE", f"/api/schedules/{name}")
    click.echo(f"{name} deleted")


def show_schedule(schedule: ScheduleInfo) -> None:
    late = schedule.last_late_seconds
    show_fields(
        [
            ("name", schedule.name),
            ("id", schedule.id),
            ("description", schedule.description or None),
            ("cron", f"{schedule.cron} ({schedule.timezone})"),
            ("state", _state(schedule)),
            ("causes", _causes(schedule)),
            ("with", _content(schedule)),
            ("last tick", schedule.last_tick_at and both(schedule.last_tick_at)),
            ("late by", length(late) if late is not None and late > 2 else None),
            ("outcome", schedule.last_outcome),
            ("error", schedule.last_error),
            ("job", schedule.last_job_id),
            ("event", schedule.last_event_id),
            ("next ticks", ", ".join(absolute(tick) for tick in schedule.next_ticks) or None),
        ]
    )


def _switch(name: str, verb: Literal["pause", "resume"], as_json: bool) -> None:
    with api() as ogel:
        answer = ogel.request("POST", f"/api/schedules/{name}/{verb}")
    _say_next(answer, as_json)


def _say_next(answer: Answer, as_json: bool) -> None:
    from ogel.features.schedules.schedule import ScheduleInfo

    if as_json:
        say(answer)
        return
    schedule = answer.as_(ScheduleInfo)
    click.echo(f"{schedule.name} {_state(schedule)}, next tick {both(schedule.next_tick_at)}")


def _json(text: str | None, option: str) -> object:
    import msgspec

    try:
        return None if text is None else msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise click.UsageError(f"{option} is not JSON: {error}") from None


def _state(schedule: ScheduleInfo) -> str:
    if schedule.built_in:
        return f"{'enabled' if schedule.enabled else 'off'} (built in)"
    return "enabled" if schedule.enabled else "paused"


def _causes(schedule: ScheduleInfo) -> str:
    if schedule.event is not None:
        return f"event {schedule.event.type}"
    return f"job {schedule.job.kind}" if schedule.job else "-"


def _content(schedule: ScheduleInfo) -> str | None:
    import msgspec

    if schedule.event is not None:
        return bytes(schedule.event.data).decode()
    if schedule.job is None or not schedule.job.payload:
        return None
    return msgspec.json.encode(schedule.job.payload).decode()
