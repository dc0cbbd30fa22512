"""The filter of an endpoint: conditions on an event, written as JSON, each event either fits or does not.

    {"data.amount": {"gte": 100, "lt": 500}, "data.status": "paid", "any": [{"subject": …}, {"data.items.0.sku": …}]}

Several keys must all hold. A key is a path from `data`, `type`, `subject` or `id`: names joined by dots; a number is
also an index of an array; `\\.` is a dot within a name, and `\\\\` a backslash. Its value is what must stand there, or
an object of operators (operators.py), which must all hold. `any` and `all` take a list of filters, `not` takes one
filter. A subject that an event does not have is missing, not null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import structlog

from ogel.features.webhooks.fanout.document import Document, Step, Unreadable
from ogel.features.webhooks.fanout.operators import OPERATORS, equal

log = structlog.get_logger(__name__)

MAX_DEPTH = 5
MAX_CONDITIONS = 50
MAX_BYTES = 8 * 1024
_MAX_PATH = 256
_ROOTS = ("data", "type", "subject", "id")
_STEP = re.compile(r"(?:[^.\\]|\\[.\\])+")
_SHOWN_CHARACTERS = 100
_NO_OPERATOR = (
    f"is no operator ({', '.join(OPERATORS)}); a path goes into objects with dots: `data.order.status`"
)

Filter = Callable[[Document], bool]
"""Raises Unreadable."""


class FilterError(ValueError):
    """`path` is the place in the filter: `.data.amount.gte`, `.any[0].type`; empty for the filter itself."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def parse(written: Mapping[str, Any]) -> Filter:
    """Raises FilterError."""
    parsed = _Parser().filter(written, "", MAX_DEPTH)
    size = len(msgspec.json.encode(written))
    if size > MAX_BYTES:
        raise FilterError("", f"has {size} bytes; a filter takes {MAX_BYTES} at most")
    return parsed


@lru_cache(maxsize=1024)
def compiled(text: str) -> Filter:
    """
    Compiles a stored filter. The cache is keyed by its text, so it is never out of date. Raises FilterError for one
    written by a version of Ogel with other rules.
    """
    try:
        return parse(msgspec.json.decode(text, type=dict[str, Any]))
    except msgspec.DecodeError as error:
        raise FilterError("", str(error)) from None


def fits(text: str | None, document: Document) -> bool:
    """
    Whether an endpoint with this filter gets the event; used by fan-out and replays. An event that cannot be judged
    fits, because a superfluous event can be ignored and a missing one is not noticed.
    """
    if text is None:
        return True
    try:
        return compiled(text)(document)
    except (FilterError, Unreadable) as error:
        log.error("webhook.filter_unusable", event_id=document.event_id, filter=text, error=str(error))
        return True


class _Parser:
    """Parses one filter and counts its conditions."""

    def __init__(self) -> None:
        self._conditions = 0

    def filter(self, written: Any, here: str, depth: int) -> Filter:
        if not isinstance(written, Mapping) or not written:
            raise FilterError(here, "takes an object with at least one condition")
        return _all(
            [self._part(key, value, f"{here}.{_shown(key)}", depth) for key, value in written.items()]
        )

    def _part(self, key: str, value: Any, here: str, depth: int) -> Filter:
        if key not in ("any", "all", "not"):
            return self._conditions_at(_path(key, here), value, here)
        if depth == 0:
            raise FilterError(here, f"is nested too deeply; `any`, `all` and `not` nest {MAX_DEPTH} levels")
        if key == "not":
            inner = self.filter(value, here, depth - 1)
            return lambda document: not inner(document)
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise FilterError(here, "takes a list of at least one filter")
        parts = [self.filter(each, f"{here}[{n}]", depth - 1) for n, each in enumerate(value)]
        return _any(parts) if key == "any" else _all(parts)

    def _conditions_at(self, path: tuple[Step, ...], value: Any, here: str) -> Filter:
        if not isinstance(value, Mapping):
            return self._condition(path, equal, value, here)
        if not value:
            raise FilterError(here, "takes a value, or at least one operator")
        conditions = []
        for name, wanted in value.items():
            operator = OPERATORS.get(name)
            if operator is None:
                raise FilterError(f"{here}.{_shown(name)}", _NO_OPERATOR)
            conditions.append(self._condition(path, operator, wanted, f"{here}.{name}"))
        return _all(conditions)

    def _condition(self, path: tuple[Step, ...], operator: Any, wanted: Any, here: str) -> Filter:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise FilterError(here, f"is one too many; a filter takes {MAX_CONDITIONS} conditions at most")
        try:
            question = operator(wanted)
        except ValueError as error:
            raise FilterError(here, str(error)) from None
        return lambda document: question(document, document.at(path))


def _all(parts: Sequence[Filter]) -> Filter:
    if len(parts) == 1:
        return parts[0]
    return lambda document: all(part(document) for part in parts)


def _any(parts: Sequence[Filter]) -> Filter:
    return lambda document: any(part(document) for part in parts)


def _path(key: str, here: str) -> tuple[Step, ...]:
    if len(key) > _MAX_PATH:
        raise FilterError(here, f"has {len(key)} characters; a path takes {_MAX_PATH} at most")
    names = _names(key)
    if names is None:
        raise FilterError(
            here, r"is no path: names joined by dots, with `\.` and `\\` for a dot and a backslash"
        )
    if names[0] not in _ROOTS or (names[0] != "data" and len(names) > 1):
        raise FilterError(here, "is not known: a path starts with `data`, or is `type`, `subject` or `id`")
    return tuple(Step(name) for name in names)


def _names(key: str) -> list[str] | None:
    names, position = [], 0
    while match := _STEP.match(key, position):
        names.append(re.sub(r"\\(.)", r"\1", match[0], flags=re.DOTALL))
        position = match.end()
        if position == len(key):
            return names
        if key[position] != ".":
            return None
        position += 1
    return None


def _shown(name: str) -> str:
    return name if len(name) <= _SHOWN_CHARACTERS else f"{name[:_SHOWN_CHARACTERS]}…"
