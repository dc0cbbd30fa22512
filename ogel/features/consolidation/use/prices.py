"""What was measured, in dollars a month at Railway's list prices of 2026-08."""

from __future__ import annotations

from ogel.features.consolidation.use.measures import Measures

_MEMORY_GB, _CPU, _EGRESS_GB, _DISK_GB = 10.0, 20.0, 0.05, 0.15


def monthly(measures: Measures) -> float | None:
    """None where nothing was measured."""
    parts = (
        (measures.memory_gb, _MEMORY_GB),
        (measures.cpu, _CPU),
        (measures.egress_gb, _EGRESS_GB),
        (measures.disk_gb, _DISK_GB),
    )
    known = [amount * price for amount, price in parts if amount is not None]
    return round(sum(known), 2) if known else None
