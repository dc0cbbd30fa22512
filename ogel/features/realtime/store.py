"""Events, read for broadcasting."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.kernel.event import Event
from ogel.runtime.database import Queries, Session

_SQL = Queries.beside(__name__)


async def recent_events(session: Session, ids: Sequence[str], seconds: float) -> dict[str, Event]:
    """By id. Left out: those older than that many seconds, and those that are gone."""
    rows = await session.tuples(_SQL.recent_events, {"ids": list(ids), "seconds": seconds})
    return {id: Event(id, type, data.encode(), subject, at) for id, type, data, subject, at in rows}
