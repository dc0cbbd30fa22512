"""/api/network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.network.checking import Checked, CheckNow
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


def routes(now: CheckNow) -> Sequence[Route]:
    async def check(_: Call[Any, Any]) -> Checked:
        return await now.look()

    return [
        Route("GET", "/api/network", check, Access("key", "stats:read", "read"),
              "Where the servers of the process that answers are, and how far away", returns=Checked),
    ]  # fmt: skip
