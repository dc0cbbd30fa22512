"""`ogel network apply`"""

from __future__ import annotations

import click

from ogel.cli.network.planned import (
    choice_options,
    deploys_option,
    planned,
    staged_option,
    undo_files,
)
from ogel.cli.network.showing import as_json as shown
from ogel.cli.network.showing import quietly, show_plan, show_verification
from ogel.cli.operator import ask_no_machine, json_option, say_json, yes_option
from ogel.cli.railway_project import ask_railway, place_options
from ogel.cli.tables import printable, show_text
from ogel.features.network.moves.writing import Options, Writing
from ogel.kernel.errors import Conflict


@click.command("apply")
@place_options
@choice_options
@click.option("--plan", "fingerprint", metavar="ID", help="Only if it is this plan, which `plan` has shown.")
@staged_option
@deploys_option
@yes_option
@json_option
def command(
    project: str | None,
    environment: str | None,
    move: tuple[str, ...],
    leave: tuple[str, ...],
    fingerprint: str | None,
    with_staged: bool,
    skip_deploys: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """
    Write the plan, after keeping what it replaces.

    What the variables are now is kept sealed on this machine, for `rollback`. Refuses when the project has changed
    since it was looked at, and when somebody else has staged changes.
    """
    found = ask_railway(
        lambda railway, settings: planned(railway, settings, project, environment, move, leave)
    )
    if fingerprint is not None and fingerprint != found.plan.fingerprint:
        raise Conflict(f"The plan is {found.plan.fingerprint} by now, not {fingerprint}: look at it again.")
    ask_no_machine(as_json, yes)
    if not as_json:
        show_plan(found.view, found.plan, found.egress)
    if not found.plan.moves:
        if as_json:
            say_json({"undo": None, **shown(found.view, found.plan, found.egress)})
        return
    if not yes:
        many = len(found.plan.moves)
        what = f"{many} variable{'' if many == 1 else 's'} of {found.view.environment}"
        click.confirm(printable(f"write {what}?"), abort=True, err=True)
    options = Options(with_staged=with_staged, deploys=not skip_deploys)
    undo = ask_railway(
        lambda railway, _: Writing(
            railway, undo_files(), found.place, quietly if as_json else show_text
        ).apply(found.plan, options)
    )
    if as_json:
        say_json({"undo": undo.id, **shown(found.view, found.plan, found.egress)})
        return
    click.secho(f"written as {undo.id}; back: ogel network rollback --undo {undo.id}", bold=True)
    instances = found.view.instances
    hosts = {each.owner: instances[each.target].private_domain or "" for each in found.plan.moves}
    changed = [*(each.owner for each in found.plan.moves), *(each.owner for each in found.plan.follows)]
    show_verification(found.view, changed, hosts)
