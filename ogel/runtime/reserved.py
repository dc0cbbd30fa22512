"""The types of Ogel's own events, declared in the manifests; users cannot publish them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

from ogel.kernel.errors import Invalid


class ReservedTypes:
    """
    Compares without regard to case, so that receivers cannot mistake a user's `Webhook.Endpoint.Disabled` for ours.
    """

    def __init__(self, declared: Callable[[], Iterable[str]]) -> None:
        """`types` is called on the first publish, because most processes know few manifests."""
        self._declared = declared

    def check(self, type: str, path: str) -> None:
        """Checks a user's event, whichever way it comes in. Raises Invalid naming the field."""
        if type.casefold() in self._reserved:
            raise Invalid.field(path, f"{type!r} is a type of Ogel's own events, which only Ogel publishes")

    @cached_property
    def _reserved(self) -> frozenset[str]:
        return frozenset(type.casefold() for type in self._declared())
