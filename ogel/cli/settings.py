"""`ogel settings`"""

from __future__ import annotations

import dataclasses
import json
import os

import click

from ogel.settings import Knob, Settings, Sourced, read_settings


@click.command("settings")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def command(as_json: bool) -> None:
    """Every setting, its value (secrets masked), where it came from and what it means."""
    sourced = read_settings(os.environ)
    rows = [_row(field, sourced) for field in dataclasses.fields(Settings)]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        value = "(not set)" if row["value"] is None else row["value"]
        click.echo(f"{row['name']:<{width}}  {value}  [{row['source']}]")
        click.echo(f"{'':<{width}}  {row['meaning']} Takes {row['takes']}.")


def _row(field: dataclasses.Field[object], sourced: Sourced) -> dict[str, str | None]:
    knob: Knob = field.metadata["knob"]
    value = getattr(sourced.settings, field.name)
    source = sourced.sources[field.name]
    return {
        "name": knob.names[-1] if source is None else source,
        "value": _shown(value, knob.secret),
        "source": source or "default",
        "meaning": knob.meaning,
        "takes": knob.takes,
    }


def _shown(value: object, secret: bool) -> str | None:
    if value is None:
        return None
    if secret:
        return "***"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(f"{item:g}" if isinstance(item, float) else str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
