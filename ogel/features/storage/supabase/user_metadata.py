"""What clients write of objects: a JSON object, in a field of a form, or in base64 in a header."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec


def user_metadata_of(header: str | None) -> Mapping[str, Any] | None:
    """As `read_user_metadata`."""
    try:
        return read_user_metadata(base64.b64decode(header or ""))
    except (binascii.Error, ValueError):
        return None


def read_user_metadata(text: str | bytes | None) -> Mapping[str, Any] | None:
    """None for what is none, as its clients expect; PostgreSQL stores no NUL."""
    try:
        found = msgspec.json.decode(text, type=dict[str, Any]) if text else None
        return None if found is None or b"\\u0000" in msgspec.json.encode(found) else found
    except (ValueError, RecursionError):
        return None
