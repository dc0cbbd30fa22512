"""`ogel databases stats`"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ogel.cli.operator import api, identifier, json_option, say_one
from ogel.cli.tables import Column, Table, heading, show_fields
from ogel.cli.times import both

if TYPE_CHECKING:
    from ogel.features.databases.registry.database import Stats

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_BYTES = ("_bytes", "used_memory", "used_memory_peak", "used_memory_rss", "maxmemory")


@click.command("stats")
@click.argument("name", type=identifier)
@json_option
def command(name: str, as_json: bool) -> None:
    """Its statistics, as last measured; `ogel databases check` measures them anew."""
    from ogel.features.databases.registry.database import Stats

    with api() as ogel:
        answer = ogel.request("GET", f"/api/databases/{name}/stats")
    say_one(answer, as_json, Stats, _show)


def _show(stats: Stats) -> None:
    show_fields([("type", stats.type), ("measured", both(stats.measured_at)), ("missing", stats.error)])
    values = stats.stats or {}
    rows = {key: value for key, value in values.items() if isinstance(value, list)}
    if singles := _singles({key: value for key, value in values.items() if key not in rows}):
        heading("Statistics")
        show_fields(singles, indent="  ")
    for key, items in rows.items():
        if items:
            heading(key.replace("_", " ").capitalize())
            _show_items(items)


def _singles(values: Mapping[str, Any], before: str = "") -> list[tuple[str, object]]:
    """A field each, those of nested ones too."""
    fields: list[tuple[str, object]] = []
    for key, value in values.items():
        name = f"{before}{key}".replace("_", " ")
        if isinstance(value, dict):
            fields += _singles(value, f"{name} ")
        elif value is not None:
            fields.append((name, _shown(key, value)))
    return fields


def _show_items(items: Sequence[Mapping[str, Any]]) -> None:
    Table("none", [_column(key, isinstance(value, int | float)) for key, value in items[0].items()]).show(
        items
    )


def _column(key: str, is_number: bool) -> Column[Mapping[str, Any]]:
    return Column(
        key.replace("_", " "), lambda item: _shown(key, item[key]), gives=key == "name", right=is_number
    )


def _shown(key: str, value: Any) -> object:
    if isinstance(value, int) and key.endswith(_BYTES):
        return size(value)
    return f"{value:.4g}" if isinstance(value, float) and value < 1000 else value


def size(count: float) -> str:
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
