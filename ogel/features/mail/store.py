"""The tables of mail that was asked for, its messages and their attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from ogel.features.mail.message import (
    Accepted,
    AcceptedMail,
    Attempt,
    MailMessage,
    MailMessageWithAttempts,
    MailStatus,
)
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.delivery.idempotency import Asked, KnownRequest
from ogel.runtime.delivery.sent import AttemptRow, Settled
from ogel.runtime.mail.address import Address, InvalidAddress, parse_address
from ogel.runtime.mail.letter import Letter

_SQL = Queries.beside(__name__)


class NewRequest(Struct, frozen=True, kw_only=True):
    """`messages` is what is answered; `addresses` are those of its recipients, in the same order."""

    id: str
    asked: Asked
    sender: Address
    reply_to: Address | None
    subject: str
    text: str | None
    html: str | None
    headers: Mapping[str, str]
    template: str | None
    locale: str | None
    messages: Sequence[Accepted]
    addresses: Sequence[Address]


class Due(Struct, frozen=True):
    """A letter to be sent; `attempts` were made before, since it was first asked for."""

    letter: Letter
    attempts: int
    queued_at: datetime
    suppressed: bool


class Over(NamedTuple):
    """A message that was sent or has failed."""

    id: str
    to: str
    status: MailStatus
    template: str | None
    provider: str | None
    provider_id: str | None
    error: str | None


class MailStore:
    async def known_request(self, tx: Transaction, key: str) -> KnownRequest | None:
        rows = await tx.tuples(_SQL.known_request, {"key": key})
        return KnownRequest(*rows[0]) if rows else None

    async def insert(self, tx: Transaction, new: NewRequest) -> bool:
        """False when its key is taken."""
        parameters = {
            **msgspec.structs.asdict(new),
            **new.asked._asdict(),
            "answer": msgspec.json.encode(AcceptedMail(list(new.messages))).decode(),
            "sender": str(new.sender),
            "reply_to": str(new.reply_to) if new.reply_to else None,
            "headers": msgspec.json.encode(new.headers).decode(),
        }
        if await tx.value(_SQL.insert_request, parameters) is None:
            return False
        rows = [
            {"id": each.id, "recipient": each.to, "address": address.key, "status": each.status}
            for each, address in zip(new.messages, new.addresses, strict=True)
        ]
        await tx.execute(_SQL.insert_messages, {"request_id": new.id, "rows": records(rows)})
        return True

    async def suppressed(self, tx: Transaction, addresses: Sequence[Address]) -> set[str]:
        """The keys of those that nothing is sent to."""
        rows = await tx.tuples(_SQL.suppressed, {"addresses": [each.key for each in addresses]})
        return {address for (address,) in rows}

    async def get(self, tx: Transaction, id: str) -> MailMessage | None:
        return await tx.one(_SQL.get_message, {"id": id}, MailMessage)

    async def list(self, tx: Transaction, filters: Mapping[str, Any]) -> Sequence[MailMessage]:
        return await tx.all(_SQL.list_messages, filters, MailMessage)

    async def get_with_attempts(self, tx: Transaction, id: str) -> MailMessageWithAttempts | None:
        message = await tx.one(_SQL.get_with_attempts, {"id": id}, MailMessageWithAttempts)
        if message is None:
            return None
        return msgspec.structs.replace(message, log=msgspec.convert(message.log, list[Attempt]))

    async def due(self, tx: Transaction, id: str) -> Due | None:
        """None: there is nothing left to do. Raises InvalidAddress for one that was stored by other rules."""
        rows = await tx.tuples(_SQL.due_letter, {"id": id})
        return _due(id, *rows[0]) if rows else None

    async def add_attempts(self, tx: Transaction, attempts: Sequence[AttemptRow]) -> None:
        if attempts:
            await tx.execute(_SQL.add_attempts, {"rows": records(attempts)})

    async def settle(self, tx: Transaction, settled: Sequence[Settled]) -> Sequence[Over]:
        rows = await tx.tuples(_SQL.settle, {"rows": records(settled)})
        return [Over(*row) for row in rows]

    async def suppress_bounced(self, tx: Transaction, bounced: Sequence[Settled]) -> None:
        if bounced:
            await tx.execute(_SQL.suppress_bounced, {"rows": records(bounced)})

    async def give_up(self, tx: Transaction, ids: Sequence[str], error: str) -> None:
        await tx.execute(_SQL.give_up, {"ids": list(ids), "error": error})

    async def reopen(self, tx: Transaction, ids: Sequence[str]) -> None:
        """They are sent again, unless they were sent."""
        await tx.execute(_SQL.reopen, {"ids": list(ids)})


def _due(id: str, *row: Any) -> Due:
    recipient, sender, reply_to, subject, text, html, headers, written_at, attempts, queued_at, suppressed = (
        row
    )
    letter = Letter(
        id=id,
        sender=_stored("sender", sender),
        to=_stored("recipient", recipient),
        reply_to=_stored("reply_to", reply_to) if reply_to else None,
        subject=subject,
        text=text,
        html=html,
        headers=headers,
        written_at=written_at,
    )
    return Due(letter, attempts, queued_at, suppressed)


def _stored(whose: str, address: str) -> Address:
    try:
        return parse_address(address)
    except InvalidAddress as error:
        raise InvalidAddress(f"the address of its {whose} {error}") from error
