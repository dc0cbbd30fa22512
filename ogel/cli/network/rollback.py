"""`ogel network rollback`"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ogel.cli.network.planned import deploys_option, place, staged_option, undo_files
from ogel.cli.network.showing import named, quietly, show_verification
from ogel.cli.operator import ask_no_machine, identifier, json_option, say_json, yes_option
from ogel.cli.railway_project import ask_railway, place_of, place_options
from ogel.cli.tables import printable, show_text
from ogel.features.network.moves.reading import read_view
from ogel.features.network.moves.undo import Undo, UndoFiles
from ogel.features.network.moves.view import View
from ogel.features.network.moves.writing import Options, Place, TakenBack, Writing
from ogel.kernel.errors import NotFound

if TYPE_CHECKING:
    from ogel.runtime.railway import Railway
    from ogel.settings import Settings

NOT_ALL = 1


@click.command("rollback")
@place_options
@click.option("--undo", "undo_id", type=identifier, metavar="ID", help="Of this apply; else of the last one.")
@click.option("--variable", metavar="SERVICE.NAME", help="This variable only.")
@click.option("--force", is_flag=True, help="Also what is another value by now than `apply` wrote.")
@staged_option
@deploys_option
@yes_option
@json_option
def command(
    project: str | None,
    environment: str | None,
    undo_id: str | None,
    variable: str | None,
    force: bool,
    with_staged: bool,
    skip_deploys: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """
    Put variables back as they were before `apply`.

    Also after one that was cut off, wherever it was. A variable that somebody has changed since is left alone, and
    named: exit 1.
    """
    files = undo_files()

    async def read(railway: Railway, settings: Settings) -> tuple[Place, View]:
        found = await place_of(railway, settings, project, environment)
        view = await read_view(railway, found.project.id, found.environment.id)
        return place(found, view), view

    where, view = ask_railway(read)
    undo = _chosen(files, where, undo_id)
    ask_no_machine(as_json, yes)
    told = quietly if as_json else show_text
    told(
        f"{undo.id} of {undo.at:%Y-%m-%d %H:%M} UTC, {undo.project}, {undo.environment}: {named(undo.changes)}"
    )
    if not yes:
        click.confirm(f"put {variable or 'all of them'} back?", abort=True, err=True)
    options = Options(with_staged, not skip_deploys, force)
    taken = ask_railway(
        lambda railway, _: Writing(railway, files, where, told).rollback(undo, variable, options)
    )
    if as_json:
        groups = ("back", "already", "changed", "gone")
        names = {group: [each.full_name for each in getattr(taken, group)] for group in groups}
        say_json({"undo": undo.id, **names})
    else:
        _show(taken)
        show_verification(view, [each.owner for each in taken.back], {})
    sys.exit(NOT_ALL if taken.changed else 0)


def _chosen(files: UndoFiles, where: Place, undo_id: str | None) -> Undo:
    known = files.of(where.environment_id)
    if not known:
        raise NotFound(f"Nothing was written to {where.project}, {where.environment} from this machine.")
    if undo_id is None:
        return known[0]
    found = next((each for each in known if each.id == undo_id), None)
    if found is None:
        raise NotFound(f"There is no {undo_id}; there is {', '.join(each.id for each in known)}.")
    return found


def _show(taken: TakenBack) -> None:
    if taken.back:
        click.secho(printable(f"as before: {named(taken.back)}"), bold=True)
    if taken.already:
        show_text(f"were as before already: {named(taken.already)}")
    if taken.gone:
        show_text(f"are not there any more: {named(taken.gone)}")
    if taken.changed:
        show_text(
            f"left, as somebody has changed them since (--force puts them back, too): {named(taken.changed)}"
        )
