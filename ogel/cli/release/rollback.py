"""`ogel release rollback`"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import click
from msgspec import Struct

from ogel.cli.operator import ask_no_machine, identifier, json_option, say_json, yes_option
from ogel.cli.railway_project import ask_railway, place_of, place_options
from ogel.cli.release.shared import age, releases, say_change, say_ended, services_option, silent, told
from ogel.cli.tables import printable, show_fields
from ogel.cli.times import moment

if TYPE_CHECKING:
    from ogel.features.releases.history import ServiceHistory, WayBack
    from ogel.features.releases.railway import Ended
    from ogel.runtime.railway import Deployment, Railway
    from ogel.settings import Settings

_SUITE_SECONDS = 5.0
_MOST_BYTES = 4 * 1024 * 1024


class _Running(Struct):
    id: str


class _Service(Struct):
    service_id: str
    running: _Running | None


class _Status(Struct):
    """Of what `ogel release status --json` says, what counts here."""

    items: list[_Service]


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
@click.option(
    "--as-in",
    "recorded",
    type=click.File("rb"),
    metavar="FILE|-",
    help="What ran when `ogel release status --json` wrote it.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@yes_option
@place_options
@json_option
def command(
    services: tuple[str, ...],
    to: str | None,
    before: datetime | None,
    recorded: BinaryIO | None,
    dry_run: bool,
    yes: bool,
    project: str | None,
    environment: str | None,
    as_json: bool,
) -> None:
    """Have services run what they ran before: image and variables of then, without a build.

    Without --to, --before and --as-in it is one step: what was deployed last, and what was deployed along with it,
    goes back to the last deployment that was good. The schema stays as it is. Exit 1 when not all of it goes well.
    """
    if sum(each is not None for each in (to, before, recorded)) > 1:
        raise click.UsageError("--to, --before and --as-in: take one of them")
    ask_no_machine(as_json, yes or dry_run, "--yes, or --dry-run")

    async def look(railway: Railway, settings: Settings) -> WayBack:
        place = await place_of(railway, settings, project, environment)
        return _way(await releases(railway, place, services).status(), to, before, earlier)

    earlier = None if recorded is None else _earlier(recorded)
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
    sys.exit(0 if all(each.well for each in ended) and not way.stuck else 1)


def _earlier(recorded: BinaryIO) -> Mapping[str, str | None]:
    import msgspec

    try:
        status = msgspec.json.decode(recorded.read(_MOST_BYTES), type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise click.UsageError(
            f"--as-in: that is not what `ogel release status --json` writes: {error}"
        ) from None
    return {each.service_id: None if each.running is None else each.running.id for each in status.items}


def _way(
    services: Sequence[ServiceHistory],
    to: str | None,
    before: datetime | None,
    earlier: Mapping[str, str | None] | None,
) -> WayBack:
    from ogel.features.releases import history

    if to is not None:
        return history.to_deployment(services, to)
    if earlier is not None:
        return history.as_in(services, earlier)
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
        click.secho(printable(each.service.name), bold=True)
        show_fields([("from", _words(each.service.running)), ("to", _words(each.to))], indent="  ")
    for word, several in (("stays", way.stays), ("stuck", way.stuck)):
        for name, why in several.items():
            click.secho(printable(name), bold=True)
            show_fields([(word, f"it {why}")], indent="  ")
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
        "stuck": way.stuck,
        "schema": {"moved_on": schema.moved, "unseen": schema.unseen},
    }
