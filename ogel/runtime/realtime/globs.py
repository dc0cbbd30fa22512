"""An index of globs and their subscribers, so that finding the subscribers of an event type is cheap."""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Glob:
    """`*` matches any characters, dots included. Matching takes linear time, which a regex might not."""

    __slots__ = ("_middles", "_suffix", "prefix")

    def __init__(self, glob: str) -> None:
        """`glob` has at least one `*`."""
        self.prefix, *self._middles, self._suffix = glob.split("*")

    def matches(self, type: str) -> bool:
        start, end = len(self.prefix), len(type) - len(self._suffix)
        if start > end or not (type.startswith(self.prefix) and type.endswith(self._suffix)):
            return False
        for middle in self._middles:
            found = type.find(middle, start, end)
            if found < 0:
                return False
            start = found + len(middle)
        return True


def matches(glob: str, type: str) -> bool:
    """Of many types, use GlobIndex."""
    return glob == type if "*" not in glob else Glob(glob).matches(type)


class GlobIndex(Generic[Item]):
    """
    Compares with exact types, and with globs whose text before the first `*` begins the type; others (`chat.room-17.*`)
    cost nothing.
    """

    def __init__(self) -> None:
        self._exact: dict[str, set[Item]] = {}
        self._by_prefix: dict[str, dict[str, tuple[Glob, set[Item]]]] = {}
        self._lengths: Counter[int] = Counter()

    def add(self, glob: str, item: Item) -> None:
        if "*" not in glob:
            self._exact.setdefault(glob, set()).add(item)
            return
        parsed = Glob(glob)
        if parsed.prefix not in self._by_prefix:
            self._by_prefix[parsed.prefix] = {}
            self._lengths[len(parsed.prefix)] += 1
        self._by_prefix[parsed.prefix].setdefault(glob, (parsed, set()))[1].add(item)

    def remove(self, glob: str, item: Item) -> None:
        """Undoes one `add`; what was never added is ignored."""
        if "*" not in glob:
            items = self._exact.get(glob, set())
            items.discard(item)
            if not items:
                self._exact.pop(glob, None)
            return
        prefix = Glob(glob).prefix
        siblings = self._by_prefix.get(prefix, {})
        if glob not in siblings:
            return
        items = siblings[glob][1]
        items.discard(item)
        if not items:
            del siblings[glob]
        if not siblings:
            del self._by_prefix[prefix]
            self._lengths[len(prefix)] -= 1
            if not self._lengths[len(prefix)]:
                del self._lengths[len(prefix)]

    def matching(self, type: str) -> set[Item]:
        """Returns every subscriber with at least one matching glob, once each."""
        found = set(self._exact.get(type, ()))
        for length in self._lengths:
            if length <= len(type):
                for glob, items in self._by_prefix.get(type[:length], {}).values():
                    if glob.matches(type):
                        found |= items
        return found


class NameIndex(Generic[Item]):
    """The same for names without globs."""

    def __init__(self) -> None:
        self._items: dict[str, set[Item]] = {}

    def add(self, name: str, item: Item) -> None:
        self._items.setdefault(name, set()).add(item)

    def remove(self, name: str, item: Item) -> None:
        """Undoes one `add`; what was never added is ignored."""
        items = self._items.get(name, set())
        items.discard(item)
        if not items:
            self._items.pop(name, None)

    def matching(self, name: str) -> set[Item]:
        return self._items.get(name, set())
