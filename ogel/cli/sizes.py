"""Sizes as people read them."""

from __future__ import annotations

_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def size(bytes: float) -> str:
    """`1.5 MB`, `12 bytes`."""
    for unit, name in _UNITS:
        if bytes >= unit:
            return f"{bytes / unit:.1f} {name}"
    return f"{bytes:.0f} bytes"
