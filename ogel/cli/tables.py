"""Tables and lists that people read. What others wrote (URLs, errors, answers) cannot steer the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import click

from ogel.runtime.log.terminal import printable as printable  # what commands print besides tables

Thing = TypeVar("Thing")

_GAP = "  "
_INDENT = "  "
# What gives becomes no narrower: less says nothing.
_LEAST_WIDTH = 16
# Even on the narrowest terminal something stands on a line.
_LEAST_LINE = 8
_LEAST_TEXT = 24
_COLOURS = {
    "enabled": "green",
    "active": "green",
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
    "raised": "red",
    "critical": "red",
    "over": "yellow",
    "warning": "yellow",
    "disabled": "red",
    "revoked": "red",
    "expired": "yellow",
}


class Column(NamedTuple, Generic[Thing]):
    """
    One column. `of` returns what a thing has there; without it, that is the attribute of the column's name. `gives`
    lets it become narrower when the terminal has no room for all.
    """

    name: str
    of: Callable[[Thing], object] | None = None
    gives: bool = False
    right: bool = False

    def cell(self, thing: Thing) -> str:
        value = getattr(thing, self.name.replace(" ", "_")) if self.of is None else self.of(thing)
        return printable("-" if value is None else str(value))


class Table(NamedTuple, Generic[Thing]):
    """A table of things, a row each. `empty` is said when there are none."""

    empty: str
    columns: Sequence[Column[Thing]]

    def show(self, things: Iterable[Thing]) -> None:
        """
        As wide as the terminal at most: columns that give are cut, and where that is not enough each row is a card.
        Whole where it is piped.
        """
        columns, cells = self.columns, [[column.cell(thing) for column in self.columns] for thing in things]
        if not cells:
            click.echo(self.empty)
            return
        most = terminal_width()
        widths = _widths(columns, cells, most)
        if most is not None and sum(widths) + len(_GAP) * (len(columns) - 1) > most:
            for place, row in enumerate(cells):
                if place:
                    click.echo()
                _show_card(columns, row, most)
            return
        names = [column.name.upper() for column in columns]
        click.secho(_line(columns, names, widths, plain=True), bold=True)
        for row in cells:
            click.echo(_line(columns, row, widths))


def show_fields(fields: Sequence[tuple[str, object]], indent: str = "") -> None:
    """`name  value`, one to a line; those without a value are left out."""
    known = [(name, printable(str(value))) for name, value in fields if value is not None]
    _show_pairs(known, indent, terminal_width())


def show_parts(parts: Sequence[str]) -> None:
    """On one line, or on a terminal on as many as they need; the first part colours it."""
    shown, most = [printable(part) for part in parts if part], terminal_width()
    lines = [_GAP.join(shown)] if most is None else _flow(shown, most, _GAP, _INDENT)
    for place, line in enumerate(lines):
        click.echo(line if place else coloured(line))


def show_text(text: str, indent: str = "", colour: str | None = None) -> None:
    """Whole, on as many lines as it needs; an empty one on none."""
    if text:
        for line in wrapped(printable(text), len(indent)):
            click.secho(indent + line, fg=colour)


def heading(text: str) -> None:
    click.echo()
    click.secho(printable(text), bold=True)


def coloured(text: str) -> str:
    """Colours a text by its first word if that is a state; click drops colours where no terminal shows them."""
    colour = _COLOURS.get(text.partition(" ")[0].rstrip(","))
    return click.style(text, fg=colour) if colour else text


def terminal_width() -> int | None:
    """None where nobody reads it on a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str, indent: int) -> list[str]:
    """Lines for behind `indent` columns, as long as the terminal has room; whole where it is piped."""
    most = terminal_width()
    room = None if most is None else max(most - indent, _LEAST_TEXT)
    if room is None:
        return [text]
    return _flow(text.split(" "), room, " ", _INDENT)


def width_of(text: str) -> int:
    """In cells of a terminal: a Chinese letter or an emoji takes two, an accent none."""
    if text.isascii():
        return len(text)
    import wcwidth

    return wcwidth.width(text)


def cut(text: str, width: int) -> str:
    """Shortens a text to `width` cells. URLs lose their middle, because host and end tell them apart."""
    whole = width_of(text)
    if whole <= width:
        return text
    if width < 1:
        return ""
    tail = (width - 1) // 3 if "://" in text else 0
    return _slice(text, 0, width - 1 - tail) + "…" + (_slice(text, whole - tail, whole) if tail else "")


def _slice(text: str, start: int, end: int) -> str:
    """Returns the cells from `start` to `end`; a wide letter that is cut in half becomes a space."""
    if text.isascii():
        return text[start:end]
    import wcwidth

    return wcwidth.clip(text, start, end)


def _widths(columns: Sequence[Column[Any]], rows: Sequence[Sequence[str]], most: int | None) -> list[int]:
    widths = [
        max(width_of(column.name), *(width_of(row[place]) for row in rows))
        for place, column in enumerate(columns)
    ]
    giving = [place for place, column in enumerate(columns) if column.gives]
    while most is not None and giving:
        over = sum(widths) + len(_GAP) * (len(columns) - 1) - most
        widest = max(giving, key=lambda place: widths[place])
        if over <= 0 or widths[widest] <= _LEAST_WIDTH:
            break
        widths[widest] -= 1
    return widths


def _line(
    columns: Sequence[Column[Any]], row: Sequence[str], widths: Sequence[int], plain: bool = False
) -> str:
    parts = []
    for column, cell, width in zip(columns, row, widths, strict=True):
        shown = cut(cell, width)
        padding = " " * (width - width_of(shown))
        shown = shown if plain else coloured(shown)
        parts.append(padding + shown if column.right else shown + padding)
    return _GAP.join(parts).rstrip()


def _show_card(columns: Sequence[Column[Any]], row: Sequence[str], most: int) -> None:
    """Whole: the first cell names it, the others follow by name; those that say nothing are left out."""
    for line in _broken(row[0], most):
        click.secho(line, bold=True)
    said = zip(columns[1:], row[1:], strict=True)
    _show_pairs([(column.name, cell) for column, cell in said if cell != "-"], _INDENT, most)


def _show_pairs(pairs: Sequence[tuple[str, str]], indent: str, most: int | None) -> None:
    """A value that is too long goes on below; one that fits a line of its own is not broken."""
    names = max((width_of(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        label = f"{indent}{name}{' ' * (names - width_of(name))}{_GAP}"
        if most is None or width_of(label) + width_of(value) <= most:
            click.echo(label + coloured(value))
            continue
        deeper = indent + _INDENT
        if width_of(deeper) + width_of(value) <= most or most - width_of(label) < _LEAST_WIDTH:
            click.echo(label.rstrip())
            label = deeper
        for line in _flow(value.split(" "), most - width_of(label), " ", ""):
            click.echo(label + line)
            label = " " * width_of(label)


def _flow(parts: Sequence[str], most: int, gap: str, indent: str) -> list[str]:
    """Lines of `most` cells, broken between parts, and within one only where it is longer than a line."""
    lines, line = [], ""
    for part in parts:
        for piece in _broken(part, most - len(indent)):
            longer = line + gap + piece if line else piece
            if line and width_of(longer) > most:
                lines.append(line)
                longer = indent + piece
            line = longer
    return [*lines, line]


def _broken(text: str, width: int) -> Iterator[str]:
    """Yields pieces of at most `width` cells."""
    if width_of(text) <= width:
        yield text
        return
    import wcwidth

    piece = ""
    for letter in wcwidth.iter_graphemes(text):
        if piece and width_of(piece + letter) > max(_LEAST_LINE, width):
            yield piece
            piece = ""
        piece += letter
    yield piece
