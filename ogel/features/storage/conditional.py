"""Writes and deletions on conditions, as every door is asked for them: If-Match and the like (RFC 9110 §13.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogel.features.storage.objects.conditions import NO_CONDITIONS, Conditions
from ogel.runtime.http.ranges import date_in, tags_in


def conditions_of(headers: Mapping[bytes, bytes]) -> Conditions:
    """
    A weak tag is as none for If-Match, and as a strong one for If-None-Match (§8.8.3.2). Dates count where no tag was
    sent (§13.2.2).
    """
    match, none_match = _tags(headers, b"if-match"), _tags(headers, b"if-none-match")
    since = headers.get(b"if-unmodified-since") if match is None else None
    if match is None and none_match is None and since is None:
        return NO_CONDITIONS
    return Conditions(
        None if match is None else [tag for tag in match if not tag.startswith("W/")],
        None if none_match is None else [tag.removeprefix("W/") for tag in none_match],
        None if since is None else date_in(str(since, "latin-1")),
    )


def _tags(headers: Mapping[bytes, bytes], name: bytes) -> Sequence[str] | None:
    value = headers.get(name)
    return None if value is None else tags_in(str(value, "latin-1"))
