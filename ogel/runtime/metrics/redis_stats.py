"""Redis statistics, and which server answers in place of Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

# Returns numbers of INFO by name (`used_memory`, `keys`, …) with `server` and `version`; None while it is away.
AskRedis = Callable[[], Awaitable[Mapping[str, Any] | None]]

# Compatible servers report their own version beside the `redis_version` that they imitate.
_COMPATIBLE = ("valkey", "dragonfly", "kvrocks", "garnet", "redict")


def server_of(info: Mapping[str, Any]) -> tuple[str, str]:
    """
    Returns the server's name (`redis`, `valkey`, `keydb`, …) and its own version from INFO; "?" where it is missing.
    """
    for name in _COMPATIBLE:
        if version := info.get(f"{name}_version"):
            return name, str(version).removeprefix("df-").removeprefix("v")
    # KeyDB is recognised by its executable and an INFO section of its own; its version is in Redis' field.
    is_keydb = "keydb" in str(info.get("executable", "")).lower() or "mvcc_depth" in info
    return "keydb" if is_keydb else "redis", str(info.get("redis_version") or "?")
