"""Conditional and range requests (RFC 9110 §13 and §14) for content that we hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Literal

from msgspec import Struct

_RANGES = re.compile(r"bytes[ \t]*=([0-9\-, \t]*)", re.IGNORECASE)
_RANGE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18})")
# Who asks for more parts, joined or before, gets the whole, which a server may send (RFC 9110 §14.2): many small ones
# are a known attack.
_MOST_PARTS, _MOST_ASKED = 8, 100
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_BARE_TAG = re.compile(r"[\x21\x23-\x2b\x2d-\x7e]+")

Unmet = Literal[304, 412]
# The first byte and the one behind the last.
Range = tuple[int, int]


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
        return None if self.modified is None else _written(int(self.modified.timestamp()))

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
        since = date_in(date)
        return None if since is None or self.modified is None else self._second > since

    def is_exactly(self, validator: str) -> bool:
        """For If-Range: true for this strong tag, or for exactly the date that we sent."""
        if '"' in validator:
            return self.matches(validator, weakly=False)
        return self.modified is not None and date_in(validator) == self._second


@lru_cache(maxsize=1024)
def _written(second: int) -> str:
    return formatdate(second, usegmt=True)


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


def wanted_ranges(
    headers: Mapping[bytes, bytes], validators: Validators, size: int
) -> Sequence[Range] | Literal["unsatisfiable"] | None:
    """
    Returns the parts that are asked for, in the order asked for; where some overlap or touch, those that remain when
    they are joined, in ascending order. None: send all of it, also when the header is invalid or for another version.
    """
    asked = _text(headers, b"range")
    found = None if asked is None else _RANGES.fullmatch(asked.strip())
    if found is None or found[1].count(",") >= _MOST_ASKED:
        return None
    if (version := _text(headers, b"if-range")) is not None and not validators.is_exactly(version.strip()):
        return None
    parts: list[Range] = []
    asked_for = [each for text in found[1].split(",") if (each := text.strip())]
    for text in asked_for:
        if (one := _RANGE.fullmatch(text)) is None:
            return None
        first, last, suffix = one.groups()
        if suffix is not None:
            part = max(0, size - int(suffix)), size
        elif last is not None and int(last) < int(first):
            return None
        else:
            part = int(first), size if last is None else min(size, int(last) + 1)
        if part[0] < part[1]:
            parts.append(part)
        elif suffix is not None and int(suffix):
            return None  # the last bytes of nothing are nothing, and that is all there is
    if not parts:
        return "unsatisfiable" if asked_for else None
    joined = _joined(parts)
    return joined if len(joined) <= _MOST_PARTS else None


def _joined(parts: Sequence[Range]) -> Sequence[Range]:
    joined: list[Range] = []
    for first, end in sorted(parts):
        if joined and first <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((first, end))
    return parts if len(joined) == len(parts) else joined


def tags_in(header: str) -> Sequence[str]:
    """
    The entity tags of a list, with their quotes and `W/`; `*` alone is one. A single one without quotes is read as it
    was meant: clients send back what they have shown.
    """
    header = header.strip()
    if header == "*":
        return [header]
    return _TAG.findall(header) or ([f'"{header}"'] if _BARE_TAG.fullmatch(header) else [])


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else str(value, "latin-1")


def date_in(text: str) -> datetime | None:
    """Reads an HTTP date; None: it is none, and whoever asks for something by it has asked for nothing."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
