"""Who says how Redis is, and which server it really is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

# Its numbers by name (`used_memory`, `keys`, …), its `server` and `version`; None while it is away.
AskRedis = Callable[[], Awaitable[Mapping[str, Any] | None]]

# Each says its own version beside the `redis_version` that it is compatible with.
_COMPATIBLE = ("valkey", "dragonfly", "kvrocks", "garnet", "redict")


def server_of(info: Mapping[str, Any]) -> tuple[str, str]:
    """Its name (`redis`, `valkey`, `keydb`, …) and its own version, as INFO says; "?" where it says none."""
    for name in _COMPATIBLE:
        if version := info.get(f"{name}_version"):
            return name, str(version).removeprefix("df-").removeprefix("v")
    # KeyDB says so by its program and a section of its own; its version is Redis' field.
    is_keydb = "keydb" in str(info.get("executable", "")).lower() or "mvcc_depth" in info
    return "keydb" if is_keydb else "redis", str(info.get("redis_version") or "?")
