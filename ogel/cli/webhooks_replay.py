"""`ogel webhooks replay`"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import click

from ogel.cli.named import in_options
from ogel.cli.operator import ask, identifier, json_option, operator, say_json
from ogel.cli.progress import follow
from ogel.cli.tables import printable
from ogel.cli.times import both, moment
from ogel.kernel.errors import Unavailable

if TYPE_CHECKING:
    from ogel.features.webhooks.replays.replay import DryRun, NewReplay, Replay
    from ogel.operators import Services

Change = Literal["pause", "resume", "cancel"]


@click.command("replay")
@click.argument("id", type=identifier, metavar="WEBHOOK|REPLAY")
@click.option(
    "--since",
    type=moment,
    metavar="TIME",
    help="Events published then or later: RFC 3339, or an age such as 2h.",
)
@click.option("--until", type=moment, metavar="TIME", help="Events published then or before; now without it.")
@click.option(
    "--only",
    type=click.Choice(["failed", "missing", "all"]),
    help="What failed for good (so without it), what has no delivery, or both and what was delivered.",
)
@click.option("--event", "events", multiple=True, metavar="GLOB", help="Of such types only; may be repeated.")
@click.option("--per-second", type=click.IntRange(1, 1000), help="Deliveries at most.")
@click.option("--dry-run", is_flag=True, help="Count, and change nothing.")
@click.option("--pause", "change", flag_value="pause", help="Of a REPLAY: hand over no more for now.")
@click.option("--resume", "change", flag_value="resume", help="Of a REPLAY: go on where it stopped.")
@click.option("--cancel", "change", flag_value="cancel", help="Of a REPLAY: hand over no more.")
@click.option("--wait/--no-wait", default=True, help="Until all is handed over to delivery.")
@json_option
def command(
    id: str,
    since: datetime | None,
    until: datetime | None,
    only: Literal["failed", "missing", "all"] | None,
    events: tuple[str, ...],
    per_second: int | None,
    dry_run: bool,
    change: Change | None,
    wait: bool,
    as_json: bool,
) -> None:
    """
    Deliver again what failed, what is missing, or all, since a time.

    WEBHOOK (wh_…) begins a replay, which goes on by itself whatever becomes of this command. REPLAY (rpl_…) follows
    one that is there, or changes it. Exit 0 when it is complete, or was not waited for.
    """
    is_replay = id.startswith("rpl_")
    _check_options(is_replay, click.get_current_context(), change)
    if is_replay:
        _run(lambda ogel: _changed(ogel, id, change), wait and change in (None, "resume"), as_json)
        return
    assert since is not None
    new = _new_replay(since, until, only, events, per_second, dry_run)
    with in_options({"events": "--event"}):
        if dry_run:
            _show_count(ask(lambda ogel: ogel.webhooks.replays.dry_run(id, new)), as_json)
        else:
            _run(lambda ogel: ogel.webhooks.replays.create(operator(), id, new), wait, as_json)


def _check_options(is_replay: bool, context: click.Context, change: Change | None) -> None:
    """Those of a new replay say nothing about one that is there, and the other way round."""
    given = [
        name
        for name in ("since", "until", "only", "events", "per_second", "dry_run")
        if context.params.get(name) not in (None, False, ())
    ]
    if is_replay and given:
        option = "event" if given[0] == "events" else given[0].replace("_", "-")
        raise click.UsageError(f"--{option} is for a new replay; name a WEBHOOK (wh_…)")
    if not is_replay and change is not None:
        raise click.UsageError(f"--{change} is for a replay; name a REPLAY (rpl_…)")
    if not is_replay and "since" not in given:
        raise click.UsageError("say --since, a time or an age such as 2h")


def _new_replay(
    since: datetime,
    until: datetime | None,
    only: Literal["failed", "missing", "all"] | None,
    events: tuple[str, ...],
    per_second: int | None,
    dry_run: bool,
) -> NewReplay:
    import msgspec

    from ogel.features.webhooks.endpoints.endpoint import Globs
    from ogel.features.webhooks.replays.replay import NewReplay

    try:
        globs = msgspec.convert(list(events), Globs) if events else None
    except msgspec.ValidationError:
        raise click.UsageError(
            "--event takes types such as order.created, storage.* or *, 100 at most"
        ) from None
    return NewReplay(
        since=since, until=until, only=only or "failed", events=globs, per_second=per_second, dry_run=dry_run
    )


async def _changed(ogel: Services, id: str, change: Change | None) -> Replay:
    replays = ogel.webhooks.replays
    if change is None:
        return await replays.get(id)
    changes = {"pause": replays.pause, "resume": replays.resume, "cancel": replays.cancel}
    return await changes[change](operator(), id)


def _run(begin: Callable[[Services], Awaitable[Replay]], wait: bool, as_json: bool) -> None:
    """What is interrupted is only the waiting."""
    begun: list[Replay] = []

    async def run(ogel: Services) -> Replay:
        begun.append(await begin(ogel))
        return await follow(ogel.webhooks.replays, begun[0]) if wait else begun[0]

    try:
        replay = ask(run)
    except (KeyboardInterrupt, Unavailable) as error:
        for replay in begun:
            click.echo(
                f"\n{replay.id} goes on. Follow it: ogel webhooks replay {replay.id}\n"
                f"End it: ogel webhooks replay {replay.id} --cancel",
                err=True,
            )
        if isinstance(error, Unavailable):
            raise
        sys.exit(130)
    if as_json:
        say_json(replay)
    else:
        _show(replay)
    sys.exit(1 if wait and replay.status != "completed" else 0)


def _show(replay: Replay) -> None:
    total = "" if replay.total is None else f" of {replay.total}"
    click.echo(
        f"{replay.id} {replay.status}: {replay.replayed}{total} handed over to delivery,"
        f" {replay.skipped} were under way"
    )
    if replay.error is not None:
        click.echo(printable(f"it paused by itself: {replay.error}"))


def _show_count(count: DryRun, as_json: bool) -> None:
    if as_json:
        say_json(count)
        return
    more = "" if count.complete else " or more"
    click.echo(f"{count.count}{more} would be replayed, {count.skipped} are under way already")
    click.echo(f"{count.only}, published from {both(count.since)} to {both(count.until)}")
