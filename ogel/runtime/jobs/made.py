"""Jobs whose payloads come from rows, enqueued by the statement that selects these rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ogel.runtime.database.database import Queries
from ogel.runtime.database.pieces import Piece

_SQL = Queries.beside(__name__)


def jobs_made(
    sql: bytes, parameters: Mapping[str, Any], *, kind: str, queue: str, max_attempts: int
) -> list[Piece]:
    """`sql` selects `id` and `payload` of each job. A statement can hold one such query."""
    about = {"made_kind": kind, "made_queue": queue, "made_attempts": max_attempts}
    return [
        Piece("made", sql, parameters),
        Piece("enqueued_made", _SQL.enqueue_made, about, _SQL.enqueued_made_in),
    ]
