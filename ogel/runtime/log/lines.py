"""Formats a log event as a line: readable on a terminal, or as JSON for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

from ogel.runtime.log.terminal import printable, shows_colours

Event = MutableMapping[str, Any]
Renderer = Callable[[Any, str, Event], str]

# Fields that begin every line; the others follow in the order they were given.
_FIRST = ("message", "level", "time", "logger")
_BARE = re.compile(r"""[^\s"'=\\{}\[\]]+""")
_INDENT = "    "
_BOLD, _DIM, _END = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_LEVELS = {
    "debug": _DIM,
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}


def as_json(stream: TextIO) -> Renderer:
    """Formats as JSON with `message` first. Letters of any script stay as they are, unless `stream` is ASCII only."""
    plain = (getattr(stream, "encoding", None) or "").lower().replace("-", "") != "utf8"
    encode = json.JSONEncoder(ensure_ascii=plain, allow_nan=False, default=str).encode

    def render(_: Any, __: str, event: Event) -> str:
        event["message"] = event.pop("event", None)
        ordered = {name: event[name] for name in _FIRST if name in event}
        ordered.update(event)
        try:
            line = encode(ordered)
        except (TypeError, ValueError):  # keys that are no text, NaN, or a value that contains itself
            line = json.dumps(
                {str(name): _simple(value) for name, value in ordered.items()}, ensure_ascii=plain
            )
        return line if line.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in line)

    return render


def for_people(stream: TextIO) -> Renderer:
    """Formats as `2026-11-28 12:07:32Z warning redis.away error="Connection refused"`; a traceback follows below."""
    coloured = shows_colours(stream)

    def styled(text: str, style: str) -> str:
        return f"{style}{text}{_END}" if coloured else text

    def render(_: Any, __: str, event: Event) -> str:
        message, level, time = event.pop("event", ""), event.pop("level", "info"), event.pop("time", "")
        below = [text for name in ("stack", "exception") if (text := event.pop(name, None))]
        if str(event.get("logger", "")).partition(".")[0] in ("ogel", "root"):
            del event["logger"]  # the names of our own events say where they come from
        parts = [
            styled(f"{time[:10]} {time[11:19]}Z", _DIM),
            styled(f"{level:<7}", _LEVELS.get(level, "")),
            styled(printable(str(message)), _BOLD),
            *(f"{styled(printable(str(name)) + '=', _DIM)}{_value(value)}" for name, value in event.items()),
        ]
        lines = [line for text in below for line in str(text).splitlines()]
        return "\n".join(["  ".join(parts), *(_INDENT + printable(line) for line in lines)])

    return render


def _value(value: object) -> str:
    if isinstance(value, str) and _BARE.fullmatch(value) and value.isprintable():
        return value
    try:
        return printable(json.dumps(value, ensure_ascii=False, default=str))
    except (TypeError, ValueError):
        return printable(repr(value))


def _simple(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | str) else repr(value)


def _escaped(letter: str) -> str:
    """Escapes as in JSON: beyond U+FFFF as a surrogate pair."""
    return json.dumps(letter)[1:-1]
