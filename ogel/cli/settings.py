"""`ogel settings`"""

from __future__ import annotations

import json
import os

import click

from ogel.environ import Sourced, knobs, read_settings
from ogel.settings import Settings


@click.command("settings")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--env", "as_env", is_flag=True, help="A template for .env, with the defaults.")
def command(as_json: bool, as_env: bool) -> None:
    """Every setting, its value (secrets masked), where it came from and what it means."""
    if as_env:
        click.echo(env_template(), nl=False)
        return
    rows = _rows(read_settings(os.environ))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        value = "(not set)" if row["value"] is None else row["value"]
        click.echo(f"{row['name']:<{width}}  {value}  [{row['source']}]")
        click.echo(f"{'':<{width}}  {row['meaning']} Takes {row['takes']}.")


def env_template() -> str:
    """What .env.example holds; a test compares."""
    lines = ["# Every setting with its default; `ogel settings` says what this machine makes of them."]
    for field, knob in knobs().items():
        others = [name for name in knob.names if name != knob.name]
        also = f" Also: {', '.join(others)}." if others else ""
        default = shown(getattr(Settings(), field), secret=False)
        lines += ["", f"# {knob.meaning}", f"# Takes {knob.takes.words}.{also}"]
        lines.append(f"# {knob.name}={default or ''}")
    return "\n".join(lines) + "\n"


def _rows(sourced: Sourced) -> list[dict[str, object]]:
    return [
        {
            "name": sourced.sources[field] or knob.name,
            "names": list(knob.names),
            "value": shown(getattr(sourced.settings, field), knob.secret),
            "source": "environment" if sourced.sources[field] else "default",
            "meaning": knob.meaning,
            "takes": knob.takes.words,
        }
        for field, knob in knobs().items()
    ]


def shown(value: object, secret: bool) -> str | None:
    if value is None:
        return None
    if secret:
        return "***"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(f"{item:g}" if isinstance(item, float) else str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
