"""`ogel network plan`"""

from __future__ import annotations

import click

from ogel.cli.network.planned import choice_options, planned
from ogel.cli.network.showing import as_json as shown
from ogel.cli.network.showing import show_plan
from ogel.cli.operator import json_option, say_json
from ogel.cli.railway_project import ask_railway, place_options


@click.command("plan")
@place_options
@choice_options
@json_option
def command(
    project: str | None, environment: str | None, move: tuple[str, ...], leave: tuple[str, ...], as_json: bool
) -> None:
    """
    Which variables of a Railway project lead outside, and what they would be.

    Values are looked at, whatever their names; only hosts and ports of them are shown. Nothing is changed.
    """
    found = ask_railway(
        lambda railway, settings: planned(railway, settings, project, environment, move, leave)
    )
    if as_json:
        say_json(shown(found.view, found.plan, found.egress))
    else:
        show_plan(found.view, found.plan, found.egress)
