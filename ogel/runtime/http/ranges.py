"""Conditional and range requests (RFC 9110 §13 and §14) for content that we hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Literal

from msgspec import Struct

# Matches a single range. Requests for several get the whole, which a server may do (RFC 9110 §14.2): few clients can
# read a multi-range answer, and many small ranges are a known attack.
_RANGE = re.compile(
    r"bytes[ \t]*=[ \t,]*(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))[ \t,]*", re.IGNORECASE
)
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')

Unmet = Literal[304, 412]


class Validators(Struct, frozen=True):
    """
    etag      with its quotes, and `W/` before a weak one; None: there is none.
    modified  when it last changed; None: unknown. HTTP knows whole seconds only.
    """

    etag: str | None = None
    modified: datetime | None = None

    @property
    def last_modified(self) -> str | None:
        """`modified` as an HTTP date."""
        return None if self.modified is None else format_datetime(self._second, usegmt=True)

    @property
    def _second(self) -> datetime:
        assert self.modified is not None
        return self.modified.astimezone(UTC).replace(microsecond=0)

    def matches(self, tags: str, weakly: bool) -> bool:
        """Whether a list of entity tags, or `*`, names this version. A weak tag cannot select byte ranges."""
        if tags.strip() == "*":
            return True
        if self.etag is None or (not weakly and self.etag.startswith("W/")):
            return False
        wanted = self.etag.removeprefix("W/")
        return any(
            tag.removeprefix("W/") == wanted and (weakly or not tag.startswith("W/"))
            for tag in _TAG.findall(tags)
        )

    def changed_since(self, date: str) -> bool | None:
        """Whether it changed since that date. None: the date is invalid, or the modification time is unknown."""
        since = _date(date)
        return None if since is None or self.modified is None else self._second > since

    def is_exactly(self, validator: str) -> bool:
        """For If-Range: true for this strong tag, or for exactly the date that we sent."""
        if '"' in validator:
            return self.matches(validator, weakly=False)
        return self.modified is not None and _date(validator) == self._second


def unmet(headers: Mapping[bytes, bytes], validators: Validators) -> Unmet | None:
    """
    Returns the status that unmet conditions give a GET or HEAD, in the order of RFC 9110 §13.2.2; None: they are met.
    """
    match, none_match = _text(headers, b"if-match"), _text(headers, b"if-none-match")
    if match is not None:
        if not validators.matches(match, weakly=False):
            return 412
    elif (since := _text(headers, b"if-unmodified-since")) is not None and validators.changed_since(since):
        return 412
    if none_match is not None:
        return 304 if validators.matches(none_match, weakly=True) else None
    since = _text(headers, b"if-modified-since")
    return 304 if since is not None and validators.changed_since(since) is False else None


def wanted_range(
    headers: Mapping[bytes, bytes], validators: Validators, size: int
) -> tuple[int, int] | Literal["unsatisfiable"] | None:
    """
    Returns first byte and end (exclusive) of the range. None: send all of it, also when the header is invalid or for
    another version. An empty content has no ranges, and some clients always ask for one, so it is sent whole.
    """
    asked = _text(headers, b"range")
    found = None if asked is None or size == 0 else _RANGE.fullmatch(asked.strip())
    if found is None:
        return None
    if (version := _text(headers, b"if-range")) is not None and not validators.is_exactly(version.strip()):
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        return (max(0, size - int(suffix)), size) if int(suffix) else "unsatisfiable"
    if last is not None and int(last) < int(first):
        return None
    if int(first) >= size:
        return "unsatisfiable"
    return int(first), size if last is None else min(size, int(last) + 1)


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else str(value, "latin-1")


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
