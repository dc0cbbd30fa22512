"""Publications are deleted once their namespace keeps them no longer, and channels once nobody publishes to them."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.runtime.database.database import Queries
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)
# A channel's row is its epoch, which lets who was away know that nothing was missed.
_SILENT_DAYS = 30.0
_NOW = 1 / 24 / 60


def purges_of_channels() -> Sequence[Purge]:
    return [
        Purge.of_queries(
            "publications",
            "publications to channels that their namespace keeps no longer",
            _NOW,
            count=_SQL.count_expired,
            batch=_SQL.purge_expired,
            is_firm=True,
        ),
        Purge.of_queries(
            "channels",
            "channels that nobody published to",
            _SILENT_DAYS,
            count=_SQL.count_silent,
            batch=_SQL.purge_silent,
            after="publications",
            is_firm=True,
        ),
    ]
