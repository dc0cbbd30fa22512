"""`ogel settings`"""

from __future__ import annotations

import os

import click

from ogel.cli.operator import json_option, say_json
from ogel.cli.tables import printable, wrapped
from ogel.environ import Sourced, knobs, read_settings, value_of
from ogel.kernel.quantities import quantity
from ogel.knobs import Knob
from ogel.settings import Settings

MASK = "***"


@click.command("settings")
@json_option
@click.option("--env", "as_env", is_flag=True, help="A template for .env, with the defaults.")
def command(as_json: bool, as_env: bool) -> None:
    """Every setting, its value (secrets masked), where it came from and what it means."""
    if as_env:
        click.echo(env_template(), nl=False)
        return
    sourced = read_settings(os.environ)
    if as_json:
        say_json({"items": _rows(sourced)})
    else:
        _show(sourced)
    for mistake in _mistakes():
        click.echo(f"ogel: {mistake}", err=True)


def _mistakes() -> list[str]:
    """What can be read and is a mistake all the same, as doctor says it of the settings alone."""
    from ogel.cli.doctor.agreement import look
    from ogel.cli.doctor.patient import Patient
    from ogel.cli.doctor.variables import ignored, read

    sourced = read_settings(os.environ)
    patient = Patient(os.environ, sourced, sourced.settings)
    notes = [finding.detail for finding in ignored(patient)]
    return [f.detail for f in (*read(patient), *look(patient)) if not f.ok] + notes


def _show(sourced: Sourced) -> None:
    rows = _rows(sourced)
    names = [str(row["name"]) for row in rows]
    width = max(map(len, names))
    click.secho(f"{'NAME':<{width}}  VALUE  [FROM]", bold=True)
    for name, row, (field, knob) in zip(names, rows, knobs().items(), strict=True):
        value = value_of(sourced.settings, field)
        shown = _for_people(value, knob, is_set=sourced.sources[field] is not None)
        first, *more = wrapped(f"{printable(shown)}  [{row['source']}]", width + 2)
        click.echo(f"{name:<{width}}  {first}")
        for line in (*more, *wrapped(f"{row['meaning']} Takes {row['takes']}.", width + 2)):
            click.echo(f"{'':<{width}}  {line}")


def _for_people(value: object, knob: Knob, *, is_set: bool) -> str:
    if value is None or (value == () and not is_set):
        return "(not set)"
    if value == ():
        return "(none)"
    if knob.secret:
        return MASK
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return quantity(value, knob.takes.unit)
    if isinstance(value, tuple):
        return ", ".join(_one_of_several(item, knob) for item in value)
    return str(value)


def _one_of_several(item: object, knob: Knob) -> str:
    if isinstance(item, float):
        return quantity(item, knob.takes.unit)
    return "=".join(item) if isinstance(item, tuple) else str(item)


def env_template() -> str:
    """What .env.example holds; a test compares."""
    lines = ["# Every setting with its default; `ogel settings` says what this machine makes of them."]
    for field, knob in knobs().items():
        others = [name for name in knob.names if name != knob.name]
        also = f" Also: {', '.join(others)}." if others else ""
        default = shown(value_of(Settings(), field), secret=False)
        lines += ["", f"# {knob.meaning}", f"# Takes {knob.takes.words}.{also}"]
        lines.append(f"# {knob.name}={default or ''}")
    return "\n".join(lines) + "\n"


def _rows(sourced: Sourced) -> list[dict[str, object]]:
    return [
        {
            "name": sourced.sources[field] or knob.name,
            "names": list(knob.names),
            "value": shown(value_of(sourced.settings, field), knob.secret),
            "source": "environment" if sourced.sources[field] else "default",
            "meaning": knob.meaning,
            "takes": knob.takes.words,
        }
        for field, knob in knobs().items()
    ]


def shown(value: object, secret: bool) -> str | None:
    """As it would be written in the environment."""
    if value is None or value == ():
        return None
    if secret:
        return MASK
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(_written(item) for item in value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _written(item: object) -> str:
    if isinstance(item, tuple):
        return "=".join(item)
    return f"{item:.10g}" if isinstance(item, float) else str(item)
