"""What must be true of an object for it to be written or deleted (RFC 9110 §13.1): compare and set."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from ogel.features.storage.errors import precondition_failed
from ogel.features.storage.objects.object import StoredObject

ANY = ("*",)


class Conditions(Struct, frozen=True):
    """
    Entity tags are with their quotes, or ANY; None: nothing was asked.

    if_match          the object is there and has one of them.
    if_none_match     it has none of them; with ANY: there is no object.
    unmodified_since  it has not changed since; what is not there has not. HTTP knows whole seconds only.
    """

    if_match: Sequence[str] | None = None
    if_none_match: Sequence[str] | None = None
    unmodified_since: datetime | None = None

    def check(self, found: StoredObject | None) -> None:
        """Raises StorageError PreconditionFailed."""
        etag = None if found is None else found.etag
        if self.if_match is not None and (etag is None or not _names(self.if_match, etag)):
            raise precondition_failed("If-Match")
        if self.if_none_match is not None and etag is not None and _names(self.if_none_match, etag):
            raise precondition_failed("If-None-Match")
        since = self.unmodified_since
        if since is not None and found is not None and found.updated_at.replace(microsecond=0) > since:
            raise precondition_failed("If-Unmodified-Since")


NO_CONDITIONS = Conditions()


def _names(tags: Sequence[str], etag: str) -> bool:
    return "*" in tags or etag in tags
