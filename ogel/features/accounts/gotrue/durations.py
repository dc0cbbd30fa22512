"""Durations as Go writes them: `24h`, `1h30m`, `1.5h`."""

from __future__ import annotations

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d{1,18}(?:\.\d{0,18})?)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
# A little less than 293 years, as far as Go counts.
_MOST_SECONDS = 2_562_047 * 3600.0


def seconds_of(text: str) -> float:
    """Raises ValueError for what is no duration, or below zero."""
    if text == "0":
        return 0.0
    parts = _PART.findall(text) if len(text) <= 100 else []
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'invalid duration "{text[:100]}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _MOST_SECONDS:
        raise ValueError(f'invalid duration "{text[:100]}"')
    return seconds
