"""Amounts as people write them: the types of options."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import click

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)
_SIZE = re.compile(rf"({_NUMBER.pattern}) ?(MB|GB|TB)", re.ASCII | re.IGNORECASE)
_GB = {"MB": Decimal("0.001"), "GB": Decimal(1), "TB": Decimal(1000)}
_MOST_DOLLARS = 1_000_000


def budget(value: str) -> Decimal:
    text = value.strip().removeprefix("$")
    if not _NUMBER.fullmatch(text) or not 0 < Decimal(text) <= _MOST_DOLLARS:
        raise click.BadParameter(f"{value!r} is no amount of dollars, such as 20 or 12.50")
    return Decimal(text)


def size(value: str | Decimal) -> Decimal:
    """In GB, as prices of stores have them."""
    if isinstance(value, Decimal):  # the default
        return value
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        raise click.BadParameter(f"{value!r} is no size, such as 500MB, 100GB or 1.5TB")
    return Decimal(found[1]) * _GB[found[3].upper()]


def number(most: int) -> Callable[[str | Decimal], Decimal]:
    def up_to(value: str | Decimal) -> Decimal:
        text = str(value).strip()
        if not _NUMBER.fullmatch(text) or Decimal(text) > most:
            raise click.BadParameter(f"{value!r} is no number from 0 to {most:,}")
        return Decimal(text)

    return up_to
