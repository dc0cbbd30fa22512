"""`ogel railway plan`"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ogel.cli.operator import json_option, say_json
from ogel.cli.railway_project import ask_railway, place_of, place_options
from ogel.cli.tables import printable, wrapped
from ogel.kernel.errors import OgelError
from ogel.runtime.railway import RailwayError

if TYPE_CHECKING:
    from ogel.features.releases.configuration.changes import Change, ChangeSet, Kind
    from ogel.features.releases.configuration.graph import Graph
    from ogel.runtime.railway import Railway
    from ogel.settings import Settings

_MARKS = {"create": ("+", "green"), "change": ("~", "yellow"), "delete": ("-", "red")}
# Of a variable, and of several.
_DONE = {
    "create": ("is set", "are set"),
    "change": ("gets another value", "get other values"),
    "delete": ("is deleted", "are deleted"),
}
_VARIABLES = "variables."
_MOST_CHARACTERS = 60


@click.command("plan")
@click.option(
    "--file", "given", type=click.Path(path_type=Path), metavar="FILE", help="Without it railway/railway.py."
)
@place_options
@json_option
def command(given: Path | None, project: str | None, environment: str | None, as_json: bool) -> None:
    """What `railway config apply` would create, change and delete, in words; it changes nothing.

    Variables by name, never by value. The file is evaluated as Railway's CLI evaluates it. Exit 0 when there is
    nothing to do, 2 when there is, 1 when it would be refused or cannot be said.
    """
    try:
        found = _planned(given, project, environment)
    except OgelError as error:
        for line in error.message.splitlines():
            click.echo(f"ogel: {printable(line)}", err=True)
        sys.exit(1)
    if as_json:
        say_json({"refused": found.refused, "changes": [_document(each) for each in found.changes],
                  "problems": found.problems})  # fmt: skip
    else:
        _show(found)
    sys.exit(1 if found.refused else 2 if found.changes else 0)


def _planned(given: Path | None, project: str | None, environment: str | None) -> ChangeSet:
    from ogel.cli.railway.evaluating import evaluate, found_file
    from ogel.features.releases.configuration.changes import ChangeSet
    from ogel.features.releases.configuration.graph import problems

    graph = evaluate(found_file(given))
    wrong = [*problems(graph)]

    async def question(railway: Railway, settings: Settings) -> ChangeSet:
        place = await place_of(railway, settings, project, environment)
        return await _compared(railway, place.project.id, place.environment.id, graph)

    found = ask_railway(question)
    return ChangeSet(found.changes, [*wrong, *found.problems])


async def _compared(railway: Railway, project_id: str, environment_id: str, graph: Graph) -> ChangeSet:
    from ogel.features.releases.configuration.changes import change_set
    from ogel.features.releases.configuration.current import current_resources

    project = await railway.project(project_id)
    config = await railway.config(environment_id)
    declared = {each["name"] for each in graph.resources if each.get("type", "service") == "service"}
    there = config.get("services")
    ids = there.keys() if isinstance(there, Mapping) else ()
    variables: dict[str, Mapping[str, str]] = {
        each.id: await railway.variables(project_id, environment_id, each.id, rendered=False)
        for each in project.services
        if each.name in declared and each.id in ids
    }
    owners = await _owners(railway, environment_id)
    return change_set(graph, current_resources(project, config, variables), owners)


async def _owners(railway: Railway, environment_id: str) -> Mapping[str, str] | None:
    try:
        return await railway.made_by(environment_id)
    except RailwayError as error:
        if error.cause != "changed":
            raise
        return None


def _show(found: ChangeSet) -> None:
    for kind, text in _lines(found.changes):
        mark, colour = _MARKS[kind]
        first, *more = wrapped(printable(text), len(mark) + 1)
        click.echo(f"{click.style(mark, fg=colour)} {first}")
        for line in more:
            click.echo(f"  {line}")
    for problem in found.problems:
        click.secho(printable(f"{problem.severity}: {problem.what} {problem.message}"), err=True,
                    fg="red" if problem.severity == "error" else "yellow")  # fmt: skip
    destroyed = sum(change.destructive for change in found.changes)
    if not found.changes:
        click.echo("nothing to do")
    elif destroyed:
        click.secho(f"{destroyed} of {len(found.changes)} delete something: `apply` wants --confirm-destructive",
                    fg="red")  # fmt: skip


def _lines(changes: Sequence[Change]) -> Iterator[tuple[Kind, str]]:
    """Variables of a service that go the same way stand on one line."""
    for (what, kind, of_variables), several in groupby(changes, key=_line_of):
        if of_variables:
            names = [change.path.removeprefix(_VARIABLES) for change in several]
            word = "variable" if len(names) == 1 else "variables"
            done = _DONE[kind][len(names) > 1]
            yield kind, f"{what.partition('.')[2]}: {word} {', '.join(names)} {done}"
        else:
            for change in several:
                yield kind, _words(change)


def _line_of(change: Change) -> tuple[str, Kind, bool]:
    return change.what, change.kind, change.path.startswith(_VARIABLES)


def _words(change: Change) -> str:
    what, name = change.what.partition(".")[::2]
    field, _, path = change.path.partition(".")
    match field:
        case "" if change.kind == "create":
            return f"{what} {name} is made{_made_of(change.after)}"
        case "":
            return f"{what} {name} is deleted, with all that it has"
        case "networking":
            port = path.partition(".")[2]
            done = "gets a public TCP proxy" if change.kind == "create" else "loses its public TCP proxy"
            return f"{name}: port {port} {done}"
    return f"{name}: {change.path} is {_value(change.after)}, and was {_value(change.before)}"


def _made_of(resource: Mapping[str, Any]) -> str:
    source, deploy, config = (resource.get(name) or {} for name in ("source", "deploy", "config"))
    of = source.get("image") or source.get("repo")
    parts = [
        f" of {of}" if of else "",
        f", starting {deploy['startCommand']}" if deploy.get("startCommand") else "",
        f", with {len(resource['variables'])} variables" if resource.get("variables") else "",
        f" in {config['region']}" if config.get("region") else "",
    ]
    return "".join(parts)


def _value(value: object) -> str:
    if value is None:
        return "not set"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"


def _document(change: Change) -> dict[str, Any]:
    """Of what is made, the names of variables alone."""
    after = change.after
    if change.kind == "create" and not change.path and isinstance(after, Mapping):
        after = {**after, **({"variables": sorted(after["variables"])} if after.get("variables") else {})}
    return {
        "kind": change.kind,
        "what": change.what,
        "path": change.path or None,
        "before": change.before,
        "after": after,
        "destructive": change.destructive,
        "deploys": change.deploys,
    }
