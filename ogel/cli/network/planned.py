"""What `plan`, `apply` and `rollback` share: the environment that is meant, read from Railway, and its plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click
from msgspec import Struct

from ogel.cli import railway_project
from ogel.features.network.moves.planning import Plan, plan
from ogel.features.network.moves.reading import Egress, read_egress, read_view
from ogel.features.network.moves.undo import UndoFiles, undo_folder
from ogel.features.network.moves.view import View
from ogel.features.network.moves.writing import Place
from ogel.kernel.errors import NotFound
from ogel.runtime.railway import Railway

if TYPE_CHECKING:
    from ogel.settings import Settings

Command = TypeVar("Command", bound=Callable[..., object])


class Planned(Struct, frozen=True):
    place: Place
    view: View
    plan: Plan
    egress: Egress


def choice_options(command: Command) -> Command:
    """`--move` and `--leave`; the command takes both, as tuples of names."""
    leave = click.option(
        "--leave",
        metavar="SERVICE.NAME",
        multiple=True,
        help="Leave this variable as it is; any number of times.",
    )
    move = click.option(
        "--move",
        metavar="SERVICE.NAME",
        multiple=True,
        help="Move this one although its name says it is public.",
    )
    return move(leave(command))


async def planned(
    railway: Railway,
    settings: Settings,
    project: str | None,
    environment: str | None,
    move: Sequence[str],
    leave: Sequence[str],
) -> Planned:
    """Raises NotFound for a variable that is named and is not there, RailwayError."""
    found = await railway_project.place_of(railway, settings, project, environment)
    view = await read_view(railway, found.project.id, found.environment.id)
    known = {f"{view.name_of(owner)}.{name}" for owner, name in view.in_order()}
    for each in (*move, *leave):
        if each not in known:
            raise NotFound(f"There is no variable {each} in {view.environment}.")
    made = plan(view, also=move, without=leave)
    egress = await read_egress(railway, found.environment.id, sorted({each.target for each in made.moves}))
    return Planned(place(found, view), view, made, egress)


def place(found: railway_project.Place, view: View) -> Place:
    names = {id: each.name for id, each in view.instances.items()}
    return Place(found.project.id, found.project.name, found.environment.id, found.environment.name, names)


def undo_files() -> UndoFiles:
    return UndoFiles(undo_folder(os.environ.get("XDG_STATE_HOME")))


staged_option = click.option(
    "--with-staged", is_flag=True, help="Also make real what somebody else has staged in the environment."
)
deploys_option = click.option(
    "--skip-deploys", is_flag=True, help="Write, and let the next deployment of each service take it up."
)
