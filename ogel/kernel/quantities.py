"""Formats numbers for people: digits in groups of three, and durations and sizes in a unit that fits."""

from __future__ import annotations

_SIZES = ((1024**4, "TiB"), (1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))
_LENGTHS = ((86_400, "day"), (3600, "h"), (60, "min"))


def quantity(number: float, unit: str) -> str:
    """Formats a number with its `unit`, as settings name it. A port is printed without separators."""
    if unit == "port":
        return f"{number:.0f}"
    if unit == "seconds":
        return _length(number)
    if unit == "days":
        return f"{number:,.10g} {'day' if number == 1 else 'days'}"
    if unit == "bytes":
        return size(number)
    if unit == "MiB":
        return size(number * 1024 * 1024) if number else "0 MiB"
    if unit == "a part of the whole":
        return f"{100 * number:g} %"
    return f"{number:,.10g}"


def size(count: float) -> str:
    """Formats bytes: `1.5 MiB`, `100 bytes`."""
    for unit, name in _SIZES:
        if count >= unit:
            return f"{count / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{count:g} bytes"


def _length(seconds: float) -> str:
    """Formats in the largest unit that divides it evenly: 432000 is 5 days, 90 is 90 s."""
    for unit, name in _LENGTHS:
        if seconds >= unit and seconds % unit == 0:
            count = f"{seconds / unit:,.0f}"
            return f"{count} {name}" + ("s" if name == "day" and count != "1" else "")
    return f"{seconds:,.10g} s"
