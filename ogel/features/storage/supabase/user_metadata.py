"""What clients write of objects: base64 of a JSON object, in a header."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec


def user_metadata_of(header: str | None) -> Mapping[str, Any] | None:
    """None for what is none, as its clients expect; PostgreSQL stores no NUL."""
    if header is None:
        return None
    try:
        text = base64.b64decode(header)
        found = msgspec.json.decode(text)
    except (binascii.Error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and "\\u0000" not in text.decode() else None
