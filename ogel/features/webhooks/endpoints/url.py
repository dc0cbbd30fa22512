"""URLs without their secret parts, for showing them to others than their owner."""

from __future__ import annotations

from ogel.runtime.secrets.scrub import MASK


def without_query(url: str) -> str:
    """For logs and events: the query of a receiver's URL often contains a token."""
    address, mark, _ = url.partition("#")[0].partition("?")
    return f"{address}{mark}{MASK}" if mark else address
