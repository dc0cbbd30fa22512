"""URLs as they may be shown to others than their owner."""

from __future__ import annotations

from ogel.runtime.secrets.scrub import MASK


def without_query(url: str) -> str:
    """For logs and events: receivers like to put tokens into the query."""
    address, mark, _ = url.partition("#")[0].partition("?")
    return f"{address}{mark}{MASK}" if mark else address
