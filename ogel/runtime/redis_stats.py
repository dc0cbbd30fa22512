"""Who says how Redis is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

# Its numbers by name (`used_memory`, `keys`, …); None while it is away.
AskRedis = Callable[[], Awaitable[Mapping[str, Any] | None]]
