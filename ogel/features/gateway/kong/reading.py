"""Reads Kong's declarative files, which strangers may have written: within bounds, and nothing but data."""

from __future__ import annotations

from typing import Any

import yaml

from ogel.kernel.errors import ConfigError

MAX_BYTES = 1024 * 1024
MAX_NODES = 50_000
MAX_DEPTH = 50


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Knows no tags but YAML's own, and no aliases: a few of those stand for more than fits into memory."""

    nodes = depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ConfigError("it has aliases (`*name`): write out what they stand for")
        self.nodes += 1
        self.depth += 1
        if self.nodes > MAX_NODES or self.depth > MAX_DEPTH:
            raise ConfigError(f"it has more than {MAX_NODES:,} values, or one within {MAX_DEPTH} others")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read(content: bytes) -> dict[str, Any]:
    """Reads YAML, or JSON, which is YAML too. Raises ConfigError."""
    if len(content) > MAX_BYTES:
        raise ConfigError(f"it is larger than {MAX_BYTES // 1024:,} KiB")
    try:
        found = yaml.load(content, _Loader)  # noqa: S506 - a safe loader, with less
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"it is no YAML that can be read{place}") from error
    if not isinstance(found, dict) or "services" not in found:
        raise ConfigError("it is no declarative file of Kong's: it has no `services`")
    return found
