"""Types of Ogel's own events: each feature's manifest says which it publishes, and nobody else may."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

from ogel.kernel.errors import Invalid


class ReservedTypes:
    """In any case: receivers should not have to know that `Webhook.Endpoint.Disabled` is somebody else's."""

    def __init__(self, declared: Callable[[], Iterable[str]]) -> None:
        """Asked when somebody first publishes: most processes know few manifests."""
        self._declared = declared

    def check(self, type: str, path: str) -> None:
        """For every way by which users' events come in. Raises Invalid naming the field."""
        if type.casefold() in self._reserved:
            raise Invalid.field(path, f"{type!r} is a type of Ogel's own events, which only Ogel publishes")

    @cached_property
    def _reserved(self) -> frozenset[str]:
        return frozenset(type.casefold() for type in self._declared())
