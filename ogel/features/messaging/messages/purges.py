"""Finished messages, and the stored responses of idempotency keys, are deleted after their retention."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.runtime.database.database import Queries
from ogel.runtime.delivery.purge import purge_with_jobs
from ogel.runtime.purge import Purge

_SQL = Queries.beside(__name__)
MESSAGES = "messages"


def purges_of_messages(retention_days: float) -> Sequence[Purge]:
    return [
        purge_with_jobs(
            MESSAGES,
            "messages that are over, with their attempts and dead jobs",
            retention_days,
            b"messages",
            [_SQL.forget_attempts],
        ),
        Purge.of_queries(
            "message_requests",
            "answers to idempotency keys of messages",
            retention_days,
            count=_SQL.count_old_requests,
            batch=_SQL.purge_old_requests,
        ),
    ]
