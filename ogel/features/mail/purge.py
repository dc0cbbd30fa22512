"""Finished messages are deleted with their texts after their retention."""

from __future__ import annotations

from ogel.runtime.database.database import Queries
from ogel.runtime.delivery.purge import purge_with_jobs
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)
MESSAGES = "mail_messages"


def purge_of_mail(retention_days: float) -> Purge:
    return purge_with_jobs(
        MESSAGES,
        "mail that is over, with its words, attempts and dead jobs",
        retention_days,
        b"mail_messages",
        [_SQL.forget_attempts, _SQL.forget_requests],
    )
