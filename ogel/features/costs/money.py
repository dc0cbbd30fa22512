"""Dollars as decimals, and cents that add up."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import TypeVar

CENT = Decimal("0.01")
ZERO = Decimal(0)
# GB-minutes, vCPU-minutes, bytes.
_MOST = 1e18
_MILLIONTH = Decimal("0.000001")
Key = TypeVar("Key", bound=Hashable)


def exact(number: float) -> Decimal:
    """The number as it is written: 0.1 and not 0.1000000000000000055."""
    return Decimal(str(number))


def measured(number: float) -> Decimal | None:
    """None for what cannot have been measured: less than nothing, not a number, or more than there is anywhere."""
    return exact(number) if 0 <= number <= _MOST else None


def tidy(quantity: Decimal) -> Decimal:
    """As exact as any price asks for."""
    return quantity.quantize(_MILLIONTH)


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def apportioned(total: Decimal, parts: Mapping[Key, Decimal]) -> dict[Key, Decimal]:
    """
    The parts in cents, so that they add up to `total`, which is their sum in whole cents, up or down: each is its
    amount without what is behind the cent, and the cents that are left over go to those that lost most (of equals, to
    the first). So none is a whole cent away from what it was.
    """
    rounded = {key: amount.quantize(CENT, ROUND_FLOOR) for key, amount in parts.items()}
    left = int((total - sum(rounded.values(), ZERO)) / CENT)
    for key in sorted(parts, key=lambda key: rounded[key] - parts[key])[:left]:
        rounded[key] += CENT
    return rounded
