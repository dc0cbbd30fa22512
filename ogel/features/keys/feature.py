"""The manifest of API keys."""

from __future__ import annotations

from ogel.runtime.database.database import Queries
from ogel.runtime.feature import Feature
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)


def keys_feature(retention_days: float) -> Feature:
    return Feature(
        name="keys",
        purges=[
            Purge.of_queries(
                "api_keys",
                "API keys that were revoked or expired",
                retention_days,
                count=_SQL.count_ended,
                batch=_SQL.purge_ended,
            )
        ],
    )
