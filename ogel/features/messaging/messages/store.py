"""The tables of messages, their attempts, and the stored responses of idempotency keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ogel.features.messaging.messages.message import AcceptedMessages, Message, MessageWithAttempts
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.delivery.idempotency import Asked

_SQL = Queries.beside(__name__)

KNOWN_REQUEST = _SQL.known_request


class MessageStore:
    async def insert_request(self, tx: Transaction, asked: Asked, answer: AcceptedMessages) -> bool:
        """Returns False when the key is known. Waits for a concurrent transaction that has not committed."""
        parameters = {**asked._asdict(), "answer": msgspec.json.encode(answer).decode()}
        return await tx.execute(_SQL.insert_request, parameters) > 0

    async def insert(self, tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
        await tx.execute(_SQL.insert_messages, {"rows": records(rows)})

    async def get(self, tx: Transaction, id: str) -> Message | None:
        return await tx.one(_SQL.get_message, {"id": id}, Message)

    async def get_with_attempts(self, tx: Transaction, id: str) -> MessageWithAttempts | None:
        rows = await tx.dicts(_SQL.get_with_attempts, {"id": id})
        return msgspec.convert(rows[0], MessageWithAttempts) if rows else None

    async def list(self, tx: Transaction, filters: Mapping[str, Any]) -> Sequence[Message]:
        return await tx.all(_SQL.list_messages, filters, Message)
