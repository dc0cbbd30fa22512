"""Sizes as clients of Supabase Storage write them: a number of bytes, or a text with a decimal unit."""

from __future__ import annotations

import re

from ogel.kernel.errors import Invalid

_SIZE = re.compile(r"(\d{1,15})(?:\.(\d{1,3}))?(B|KB|MB|GB)?", re.ASCII | re.IGNORECASE)
_BYTES = {"": 1, "B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3}


def bytes_of(size: int | str | None, field: str) -> int | None:
    """`"1.5MB"` is 1,500,000; an empty text is None: no limit. Raises Invalid, which names the field."""
    if size is None or size == "":
        return None
    found = _SIZE.fullmatch(str(size))
    if found is None:
        raise Invalid.field(field, "takes a number of bytes, or a text such as 20MB")
    whole, part, unit = found.groups()
    return int(whole) * _BYTES[(unit or "").upper()] + _rest(part, _BYTES[(unit or "").upper()])


def _rest(digits: str | None, unit: int) -> int:
    return int(digits) * unit // 10 ** len(digits) if digits else 0
