"""An event as filters see it: decoded once, when the first filter needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ogel.kernel.event import Event


class Unreadable(Exception):
    """The event's data cannot be decoded, so no condition on it can be evaluated."""


class Missing:
    """The value at a path that does not exist. It differs from null, which is a value."""

    __slots__ = ()


MISSING: Final = Missing()


class Step:
    """One part of a path: the name of a member, which may also be an index in an array."""

    __slots__ = ("index", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        is_index = name.isascii() and name.isdigit() and (name == "0" or name[0] != "0")
        self.index = int(name) if is_index else None


class Document:
    __slots__ = ("_event", "_members", "_root")

    def __init__(self, event: Event) -> None:
        self._event = event
        self._root: Mapping[str, Any] | Unreadable | None = None
        # Keyed by the id() of the array, which lives as long as this document.
        self._members: dict[int, frozenset[object]] = {}

    @property
    def event_id(self) -> str:
        return self._event.id

    def at(self, path: tuple[Step, ...]) -> Any:
        """Returns the value at the path, or MISSING. Raises Unreadable."""
        if self._root is None:
            self._root = _read(self._event)
        if isinstance(self._root, Unreadable):
            raise self._root
        value: Any = self._root
        for step in path:
            if type(value) is dict:
                value = value.get(step.name, MISSING)
            elif type(value) is list and step.index is not None and step.index < len(value):
                value = value[step.index]
            else:
                return MISSING
        return value

    def members(self, array: list[Any]) -> frozenset[object]:
        """Returns the identities of the scalar items of an array; computed once per array."""
        members = self._members.get(id(array))
        if members is None:
            members = frozenset(identity(item) for item in array if type(item) not in (list, dict))
            self._members[id(array)] = members
        return members


def identity(value: object) -> object:
    """Equal for values that are the same in JSON only: 1 equals 1.0, but neither `true` nor "1"."""
    return (value,) if type(value) is bool else value


def _read(event: Event) -> Mapping[str, Any] | Unreadable:
    try:
        data = msgspec.json.decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(f"{type(error).__name__}: {error}")
    root = {"id": event.id, "type": event.type, "data": data}
    return root if event.subject is None else root | {"subject": event.subject}
