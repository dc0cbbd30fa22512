"""What the commands about releases share: whose services, and how deployments are told."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ogel.cli.tables import printable
from ogel.kernel.clock import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from ogel.cli.railway_project import Place
    from ogel.features.releases.railway import Ended, ReleasesOnRailway
    from ogel.runtime.railway import Deployment, Railway

services_option = click.option(
    "--service", "services", multiple=True, metavar="NAME",
    help="May be repeated. Without it, all that run processes of Ogel's.",
)  # fmt: skip
_COMMIT = 7


def releases(railway: Railway, place: Place, services: Sequence[str]) -> ReleasesOnRailway:
    from ogel.features.releases.railway import ReleasesOnRailway

    return ReleasesOnRailway(railway, place.project.id, place.environment.id, services)


def told(deployment: Deployment | None) -> str | None:
    """What it is made of: the beginning of a commit, or an image without its registry."""
    if deployment is None:
        return None
    if deployment.commit is not None:
        return deployment.commit[:_COMMIT]
    return None if deployment.image is None else deployment.image.rpartition("/")[2]


def age(moment: datetime) -> str:
    from ogel.cli.times import relative

    return relative(moment, utc_now())


def say_change(service: str, deployment: Deployment) -> None:
    of = told(deployment)
    about = f" of {of}" if of else ""
    click.echo(printable(f"{service}  {deployment.status}  {deployment.id}{about}"))
    sys.stdout.flush()


def silent(service: str, deployment: Deployment) -> None:
    """For machines, which are told at the end."""


def say_ended(ended: Sequence[Ended]) -> None:
    for each in ended:
        if each.problem is not None:
            click.echo(printable(f"ogel: {each.service}: {each.problem}"), err=True)
