"""Tables and lists that people read. What others wrote (URLs, errors, answers) cannot steer the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import NamedTuple

import click

_GAP = "  "
_LEAST_WIDTH = 8
_COLOURS = {
    "enabled": "green",
    "delivered": "green",
    "sent": "green",
    "completed": "green",
    "done": "green",
    "published": "green",
    "ok": "green",
    "reachable": "green",
    "succeeded": "green",
    "running": "cyan",
    "pending": "cyan",
    "queued": "cyan",
    "suppressed": "yellow",
    "waiting": "cyan",
    "paused": "yellow",
    "unknown": "yellow",
    "missing": "yellow",
    "cancelled": "yellow",
    "failed": "red",
    "unreachable": "red",
    "edited": "red",
    "dead": "red",
    "failing": "yellow",
    "half_open": "yellow",
    "open": "red",
    "disabled": "red",
}


class Column(NamedTuple):
    """`gives`: it is made narrower when the terminal is too narrow for all."""

    name: str
    gives: bool = False
    right: bool = False


def printable(text: str) -> str:
    """On one line; what would move the cursor, change colours or turn the direction of writing is spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def show_table(columns: Sequence[Column], rows: Sequence[Sequence[object]], empty: str) -> None:
    """As wide as the terminal at most; whole where it is piped. `empty` is said when there is nothing to show."""
    if not rows:
        click.echo(empty)
        return
    cells = [[printable("-" if cell is None else str(cell)) for cell in row] for row in rows]
    widths = _widths(columns, cells, terminal_width())
    click.secho(_line(columns, [column.name.upper() for column in columns], widths, plain=True), bold=True)
    for row in cells:
        click.echo(_line(columns, row, widths))


def show_fields(fields: Sequence[tuple[str, object]], indent: str = "") -> None:
    """`name  value`, one to a line; those without a value are left out."""
    known = [(name, value) for name, value in fields if value is not None]
    width = max(len(name) for name, _ in known)
    for name, value in known:
        click.echo(f"{indent}{name:<{width}}{_GAP}{coloured(printable(str(value)))}")


def heading(text: str) -> None:
    click.echo()
    click.secho(printable(text), bold=True)


def coloured(text: str) -> str:
    """By its first word, which may be a state. Colours are left out where no terminal shows them."""
    colour = _COLOURS.get(text.partition(" ")[0].rstrip(","))
    return click.style(text, fg=colour) if colour else text


def terminal_width() -> int | None:
    """None where nobody reads it on a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], most: int | None) -> list[int]:
    widths = [
        max(len(column.name), *(len(row[place]) for row in rows)) for place, column in enumerate(columns)
    ]
    giving = [place for place, column in enumerate(columns) if column.gives]
    while most is not None and giving:
        over = sum(widths) + len(_GAP) * (len(columns) - 1) - most
        widest = max(giving, key=lambda place: widths[place])
        if over <= 0 or widths[widest] <= _LEAST_WIDTH:
            break
        widths[widest] -= 1
    return widths


def _line(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int], plain: bool = False) -> str:
    parts = []
    for column, cell, width in zip(columns, row, widths, strict=True):
        shown = cut(cell, width)
        padding = " " * (width - len(shown))
        shown = shown if plain else coloured(shown)
        parts.append(padding + shown if column.right else shown + padding)
    return _GAP.join(parts).rstrip()
