"""Messages that are over are forgotten after a time, and their words with them."""

from __future__ import annotations

from ogel.runtime.database.database import Queries
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)
MESSAGES = "mail_messages"


def purge_of_mail(retention_days: float) -> Purge:
    return Purge.of_walk(
        MESSAGES,
        "mail that is over, with its words, attempts and dead jobs",
        retention_days,
        count=_SQL.count_old,
        batch=_SQL.purge_old,
    )
