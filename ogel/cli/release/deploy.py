"""`ogel release deploy`"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ogel.cli.operator import ask_no_machine, json_option, say_json, yes_option
from ogel.cli.railway_project import ask_railway, place_of, place_options
from ogel.cli.release.shared import releases, say_change, say_ended, services_option, silent
from ogel.cli.tables import printable

if TYPE_CHECKING:
    from ogel.features.releases.history import ServiceHistory
    from ogel.features.releases.railway import Ended
    from ogel.runtime.railway import Railway
    from ogel.settings import Settings


@click.command("deploy")
@click.option(
    "--image", metavar="IMAGE", help="ghcr.io/you/ogel@sha256:…, or with a tag that stays what it is."
)
@click.option("--commit", metavar="HASH", help="Of the repository that the services are made of.")
@services_option
@yes_option
@place_options
@json_option
def command(
    image: str | None,
    commit: str | None,
    services: tuple[str, ...],
    yes: bool,
    project: str | None,
    environment: str | None,
    as_json: bool,
) -> None:
    """Have all services run an image or a commit, and follow that to its end.

    `api` goes first, because it brings the schema along; the others when it runs. Exit 1 when one does not end
    well: the others then run on, and `ogel release rollback --before` undoes what has changed.
    """
    if (image is None) == (commit is None):
        raise click.UsageError("--image or --commit: give one of them")
    ask_no_machine(as_json, yes)

    async def look(railway: Railway, settings: Settings) -> Sequence[ServiceHistory]:
        place = await place_of(railway, settings, project, environment)
        return await releases(railway, place, services).status()

    found = ask_railway(look)
    if not yes:
        names = ", ".join(each.name for each in found)
        click.confirm(printable(f"Deploy {image or commit} to {names}?"), abort=True, err=True)

    async def go(railway: Railway, settings: Settings) -> Sequence[Ended]:
        place = await place_of(railway, settings, project, environment)
        say = silent if as_json else say_change
        return await releases(railway, place, services).deploy(found, image, commit, say)

    ended = ask_railway(go)
    if as_json:
        say_json({"items": ended})
    else:
        say_ended(ended)
    sys.exit(0 if all(each.well for each in ended) else 1)
