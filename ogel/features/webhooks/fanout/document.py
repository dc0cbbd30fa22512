"""An event as filters see it: read at the first question, once, however many filters ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ogel.kernel.event import Event


class Unreadable(Exception):
    """The event's data cannot be read, so no question about it has an answer."""


class Missing:
    """What stands at a path that leads nowhere. It is not null: null is a value."""

    __slots__ = ()


MISSING: Final = Missing()


class Step:
    """One part of a path: a member's name, which in an array may be an index."""

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
        # By identity of the array, which lives as long as we do.
        self._members: dict[int, frozenset[object]] = {}

    @property
    def event_id(self) -> str:
        return self._event.id

    def at(self, path: tuple[Step, ...]) -> Any:
        """The value there, or MISSING. Raises Unreadable."""
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
        """The identities of what stands in an array, arrays and objects left out; made once per array."""
        members = self._members.get(id(array))
        if members is None:
            members = frozenset(identity(item) for item in array if type(item) not in (list, dict))
            self._members[id(array)] = members
        return members


def identity(value: object) -> object:
    """Equal for values that are the same in JSON, and for no others: 1 is 1.0, but neither `true` nor "1"."""
    return (value,) if type(value) is bool else value


def _read(event: Event) -> Mapping[str, Any] | Unreadable:
    try:
        data = msgspec.json.decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(f"{type(error).__name__}: {error}")
    root = {"id": event.id, "type": event.type, "data": data}
    return root if event.subject is None else root | {"subject": event.subject}
