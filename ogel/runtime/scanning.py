"""What looks for malware in content, as features see it."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Protocol

from msgspec import Struct


class Finding(Struct, frozen=True):
    """`malware` is the name of what was found; None: nothing was."""

    malware: str | None = None


class NotScanned(Exception):
    """The scanner refuses this content, and will again: it is too large for it, for example. Its text says why."""


class Scanner(Protocol):
    async def scan(self, content: AsyncIterable[bytes]) -> Finding:
        """Reads the content as fast as the scanner takes it. Raises NotScanned, and Unavailable: later it may work."""
