"""What other features may ask about registered databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ogel.runtime.network.server import NamedServer


class RegisteredServers(Protocol):
    async def named(self) -> Sequence[NamedServer]:
        """All of them, by their names. One whose password cannot be read has none."""
