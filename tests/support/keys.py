"""Keys, made as the API makes them."""

from __future__ import annotations

from datetime import datetime

from ogel.features.keys.key import NewKey
from ogel.features.keys.service import KeyService
from ogel.kernel.principal import Caller


async def make(
    service: KeyService, caller: Caller, name: str, scopes: list[str], expires_at: datetime | None = None
) -> tuple[str, str]:
    """Its id, and the key itself."""
    made = await service.make(caller, NewKey(name=name, scopes=scopes, expires_at=expires_at))
    return made.id, made.key
