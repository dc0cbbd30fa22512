"""`ogel release status`"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import json_option, say_json
from ogel.cli.railway_project import ask_railway, place_of, place_options
from ogel.cli.release.shared import age, releases, services_option, told
from ogel.cli.tables import Column, Table

if TYPE_CHECKING:
    from ogel.features.releases.history import ServiceHistory
    from ogel.runtime.railway import Deployment, Railway
    from ogel.settings import Settings


@click.command("status")
@services_option
@place_options
@json_option
def command(services: tuple[str, ...], project: str | None, environment: str | None, as_json: bool) -> None:
    """Which deployment each service runs, of what, and which one could be gone back to."""

    async def question(railway: Railway, settings: Settings) -> Sequence[ServiceHistory]:
        place = await place_of(railway, settings, project, environment)
        return await releases(railway, place, services).status()

    found = ask_railway(question)
    if as_json:
        say_json({"items": found})
    else:
        _TABLE.show(found)


def _state(service: ServiceHistory) -> str:
    running = service.running
    status = "-" if running is None else "stopped" if running.stopped else running.status.lower()
    newest = service.under_way
    return status if newest is None else f"{status}, next is {newest.status.lower()}"


def _since(service: ServiceHistory) -> str | None:
    return None if service.running is None else age(service.running.created_at)


def _back(service: ServiceHistory) -> str | None:
    last: Deployment | None = service.last
    return (
        None if last is None else f"{last.id} ({', '.join(filter(None, [told(last), age(last.created_at)]))})"
    )


_TABLE: Table[ServiceHistory] = Table(
    "no services",
    [
        Column("service", lambda each: each.name),
        Column("state", _state),
        Column("since", _since),
        Column("of", lambda each: told(each.running), gives=True),
        Column("deployment", lambda each: each.running and each.running.id),
        Column("back to", _back),
    ],
)
