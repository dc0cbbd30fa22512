"""Devices that are gone are deleted after their retention."""

from __future__ import annotations

from ogel.runtime.database.database import Queries
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)


def purge_of_devices(retention_days: float) -> Purge:
    return Purge.of_queries(
        "devices", "devices that are gone", retention_days, count=_SQL.count_gone, batch=_SQL.purge_gone
    )
