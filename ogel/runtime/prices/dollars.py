"""Dollars as people read them."""

from __future__ import annotations

from decimal import Decimal


def dollars(amount: Decimal | float | None) -> str:
    """`$1,234.50`; None, which nobody knows, is `?`."""
    if amount is None:
        return "?"
    return f"-${-amount:,.2f}" if amount < 0 else f"${amount:,.2f}"
