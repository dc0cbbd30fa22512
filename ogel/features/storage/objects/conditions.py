"""What must be true of an object for it to be written or deleted (RFC 9110 §13.1): compare and set."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ogel.features.storage.errors import precondition_failed

ANY = ("*",)


class Conditions(Struct, frozen=True):
    """
    Entity tags with their quotes, or ANY; None: nothing was asked.

    if_match       the object is there and has one of them.
    if_none_match  it has none of them; with ANY: there is no object.
    """

    if_match: Sequence[str] | None = None
    if_none_match: Sequence[str] | None = None

    def check(self, etag: str | None) -> None:
        """`etag` is the object's; None: there is none. Raises StorageError PreconditionFailed."""
        if self.if_match is not None and (etag is None or not _names(self.if_match, etag)):
            raise precondition_failed("If-Match")
        if self.if_none_match is not None and etag is not None and _names(self.if_none_match, etag):
            raise precondition_failed("If-None-Match")


NO_CONDITIONS = Conditions()


def _names(tags: Sequence[str], etag: str) -> bool:
    return "*" in tags or etag in tags
