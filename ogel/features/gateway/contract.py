"""What others may know of the gateway: which plugins of Kong's have settings here, and how its files are read."""

from __future__ import annotations

from ogel.features.gateway.kong.plugins import PLUGINS
from ogel.features.gateway.kong.reading import MAX_BYTES, read

__all__ = ["MAX_BYTES", "TRANSLATED_PLUGINS", "read"]

TRANSLATED_PLUGINS = frozenset(PLUGINS)
