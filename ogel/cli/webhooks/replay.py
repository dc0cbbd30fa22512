"""`ogel webhooks replay`"""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import click

from ogel.cli.named import in_options
from ogel.cli.operator import api, identifier, json_option, say
from ogel.cli.progress import LOOK_SECONDS, Progress, waiting
from ogel.cli.tables import printable
from ogel.cli.times import both, moment

if TYPE_CHECKING:
    from ogel.cli.client import Answer, Client
    from ogel.features.webhooks.replays.replay import Replay

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
        method, path = ("GET", "") if change is None else ("POST", f"/{change}")
        with api() as ogel:
            begun = ogel.request(method, f"/api/replays/{id}{path}")
            _say(ogel, begun, wait and change in (None, "resume"), as_json)
        return
    new: dict[str, Any] = {"since": since, "until": until, "only": only or "failed", "events": events or None}
    new |= {"per_second": per_second, "dry_run": dry_run}
    with in_options({"events": "--event"}), api() as ogel:
        begun = ogel.request("POST", f"/api/webhooks/{id}/replay", body=new)
        if dry_run:
            _say_count(begun, as_json)
        else:
            _say(ogel, begun, wait, as_json)


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


def _say(ogel: Client, begun: Answer, wait: bool, as_json: bool) -> None:
    from ogel.features.webhooks.replays.replay import Replay

    replay = begun.as_(Replay)
    follow, end = f"ogel webhooks replay {replay.id}", f"ogel webhooks replay {replay.id} --cancel"
    with waiting(f"{replay.id} goes on. Follow it: {follow}\nEnd it: {end}"):
        answer = _followed(ogel, replay) if wait and replay.status == "running" else begun
    replay = answer.as_(Replay)
    if as_json:
        say(answer)
    else:
        _show(replay)
    sys.exit(1 if wait and replay.status != "completed" else 0)


def _followed(ogel: Client, replay: Replay) -> Answer:
    """It, once it does not run any more."""
    from ogel.features.webhooks.replays.replay import Replay

    progress = Progress(replay.id, replay.replayed + replay.skipped)
    while True:
        time.sleep(LOOK_SECONDS)
        answer = ogel.request("GET", f"/api/replays/{replay.id}")
        now = answer.as_(Replay)
        progress.show(now.replayed + now.skipped, now.total)
        if now.status != "running":
            progress.end()
            return answer


def _show(replay: Replay) -> None:
    total = "" if replay.total is None else f" of {replay.total}"
    click.echo(
        f"{replay.id} {replay.status}: {replay.replayed}{total} handed over to delivery,"
        f" {replay.skipped} were under way"
    )
    if replay.error is not None:
        click.echo(printable(f"it paused by itself: {replay.error}"))


def _say_count(answer: Answer, as_json: bool) -> None:
    from ogel.features.webhooks.replays.replay import DryRun

    if as_json:
        say(answer)
        return
    count = answer.as_(DryRun)
    more = "" if count.complete else " or more"
    click.echo(f"{count.count}{more} would be replayed, {count.skipped} are under way already")
    click.echo(f"{count.only}, published from {both(count.since)} to {both(count.until)}")
