"""`ogel release rollback`"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import click

from ogel.cli.operator import identifier, json_option, say_json
from ogel.cli.railway_project import ask_railway, place_of, place_options
from ogel.cli.release.shared import age, releases, say_change, say_ended, services_option, silent, told
from ogel.cli.tables import printable
from ogel.cli.times import moment

if TYPE_CHECKING:
    from ogel.features.releases.history import ServiceHistory, WayBack
    from ogel.features.releases.railway import Ended
    from ogel.runtime.railway import Deployment, Railway
    from ogel.settings import Settings

_SUITE_SECONDS = 5.0


class Schema(NamedTuple):
    """`moved`: migrations that what is gone back to never met. `unseen`: why nobody can say."""

    moved: Sequence[str] = ()
    unseen: str | None = None


@click.command("rollback")
@services_option
@click.option("--to", type=identifier, metavar="ID", help="A deployment that `ogel release status` shows.")
@click.option(
    "--before", type=moment, metavar="TIME|AGE", help="What ran then: 2026-01-31T08:15:30Z, 15m, 2h."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@place_options
@json_option
def command(
    services: tuple[str, ...],
    to: str | None,
    before: datetime | None,
    dry_run: bool,
    yes: bool,
    project: str | None,
    environment: str | None,
    as_json: bool,
) -> None:
    """Have services run what they ran before: image and variables of then, without a build.

    Without --to and --before it is one step: what was deployed last, and what was deployed along with it, goes back
    to the last deployment that was good. The schema stays as it is. Exit 1 when it does not end well.
    """
    if to is not None and before is not None:
        raise click.UsageError("--to and --before: take one of them")
    if as_json and not (yes or dry_run):
        raise click.UsageError("--json asks nobody: it needs --yes, or --dry-run")

    async def look(railway: Railway, settings: Settings) -> WayBack:
        place = await place_of(railway, settings, project, environment)
        return _way(await releases(railway, place, services).status(), to, before)

    way = ask_railway(look)
    schema = _schema(way)
    if not as_json:
        _show(way, schema)
    goes = not dry_run and bool(way.returns or way.restored)
    if goes and not yes:
        click.confirm("Go back?", abort=True, err=True)

    async def go(railway: Railway, settings: Settings) -> Sequence[Ended]:
        place = await place_of(railway, settings, project, environment)
        say = silent if as_json else say_change
        return await releases(railway, place, services).go_back(way, say)

    ended = ask_railway(go) if goes else []
    if as_json:
        say_json({**_document(way, schema), "ended": ended})
    else:
        say_ended(ended)
    sys.exit(0 if all(each.well for each in ended) else 1)


def _way(services: Sequence[ServiceHistory], to: str | None, before: datetime | None) -> WayBack:
    from ogel.features.releases import history

    if to is not None:
        return history.to_deployment(services, to)
    return history.one_step(services) if before is None else history.until(services, before)


def _schema(way: WayBack) -> Schema:
    """Asks the suite of the profile, or of OGEL_URL; it may be the very thing that does not answer."""
    from ogel.cli.client import over_http
    from ogel.cli.profiles import in_use, named
    from ogel.features.releases.history import moved_on
    from ogel.features.releases.release import Release
    from ogel.kernel.errors import OgelError

    if not way.returns:
        return Schema()
    remote = named(click.get_current_context().find_root().params.get("profile")) or in_use()
    if remote is None:
        return Schema(unseen="no suite is named, by OGEL_URL or `ogel login`")
    try:
        with over_http(remote) as suite:
            answer = suite.request("GET", "/api/release", timeout_seconds=_SUITE_SECONDS)
            return Schema(moved_on(way, answer.as_(Release).schema.applied))
    except OgelError as error:
        return Schema(unseen=error.message)


def _show(way: WayBack, schema: Schema) -> None:
    for each in way.returns:
        line = f"{each.service.name}  from {_words(each.service.running)}  back to {_words(each.to)}"
        click.echo(printable(line))
    for name, why in way.stays.items():
        click.echo(printable(f"{name}  stays: it {why}"))
    if schema.moved:
        names = ", ".join(schema.moved[:3]) + (" …" if len(schema.moved) > 3 else "")
        click.secho(
            f"The schema has moved on since then, by {len(schema.moved)}: {printable(names)}.\n"
            "It stays where it is: what runs then works on with it, if these only added to it.",
            fg="yellow",
        )
    if schema.unseen is not None:
        click.secho(f"Whether the schema has moved on since then cannot be seen: {printable(schema.unseen)}.")


def _words(deployment: Deployment | None) -> str:
    if deployment is None:
        return "nothing"
    of = told(deployment)
    return f"{deployment.id} ({', '.join(filter(None, [of, age(deployment.created_at)]))})"


def _document(way: WayBack, schema: Schema) -> dict[str, object]:
    return {
        "returns": [
            {"service": each.service.name, "from": each.service.running, "to": each.to}
            for each in way.returns
        ],
        "stays": way.stays,
        "schema": {"moved_on": schema.moved, "unseen": schema.unseen},
    }
