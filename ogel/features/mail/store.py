"""The tables of mail requests, messages and attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from ogel.features.mail.message import (
    AcceptedMail,
    AcceptedRecipient,
    MailAttempt,
    MailMessage,
    MailMessageWithAttempts,
)
from ogel.features.mail.sealed import unseal
from ogel.kernel.clock import utc_now
from ogel.runtime.database.database import Queries, Transaction, records
from ogel.runtime.delivery.idempotency import Asked
from ogel.runtime.delivery.messages import MessageQueries
from ogel.runtime.delivery.policy import QueuedMessage
from ogel.runtime.mail.address import Address, InvalidAddress, parse_address
from ogel.runtime.mail.letter import Letter
from ogel.runtime.secrets.vault import Unsealable, Vault

log = structlog.get_logger(__name__)

_SQL = Queries.beside(__name__)

KNOWN_REQUEST = _SQL.known_request


class NewRequest(Struct, frozen=True, kw_only=True):
    """
    sealed            the words, of a request whose `text` and `html` are None and whose `subject` operators may see.
    lifetime_seconds  messages that are not sent by then have failed; None: they are tried for a time of ours.
    messages          the response to the request.
    addresses         those of its recipients, in the same order.
    """

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
    sealed: bytes | None
    lifetime_seconds: int | None
    messages: Sequence[AcceptedRecipient]
    addresses: Sequence[Address]


class DueMail(QueuedMessage, frozen=True):
    """
    `suppressed` means that nothing is sent to its address. Without a letter, its words cannot be unsealed. What
    `has_come_too_late` is worth nothing to its reader any more.
    """

    letter: Letter | None
    suppressed: bool
    has_come_too_late: bool


MESSAGE_QUERIES = MessageQueries(_SQL.add_attempts, _SQL.settle, _SQL.give_up, _SQL.reopen)


class MailStore:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def insert(self, tx: Transaction, new: NewRequest) -> bool:
        """Returns False when the idempotency key is taken."""
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
        """Returns the keys of addresses that nothing is sent to."""
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
        return msgspec.structs.replace(message, log=msgspec.convert(message.log, list[MailAttempt]))

    async def due(self, tx: Transaction, id: str, lifetime_seconds: float) -> DueMail | None:
        """
        Returns None when there is nothing left to do. Raises InvalidAddress for an address stored under other rules.
        """
        rows = await tx.tuples(_SQL.due_letter, {"id": id})
        if not rows:
            return None
        (*row, attempts, queued_at, suppressed, lifetime) = rows[0]
        has_come_too_late = lifetime is not None and utc_now() > queued_at + timedelta(seconds=lifetime)
        return DueMail(
            attempts,
            queued_at,
            lifetime_seconds if lifetime is None else lifetime,
            self._letter(id, *row),
            suppressed,
            has_come_too_late,
        )

    def _letter(self, id: str, *row: Any) -> Letter | None:
        request_id, recipient, sender, reply_to, subject, text, html, headers, sealed, written_at = row
        if sealed is not None:
            try:
                subject, text, html = unseal(self._vault, request_id, sealed)
            except Unsealable as error:
                log.error("mail.unreadable", message=id, reason=f"it was {error}")
                return None
        return Letter(
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

    async def suppress_bounced(self, tx: Transaction, errors: Mapping[str, str | None]) -> None:
        """Suppresses the addresses of messages that bounced, with the providers' reasons."""
        if errors:
            rows = records([{"id": id, "error": error} for id, error in errors.items()])
            await tx.execute(_SQL.suppress_bounced, {"rows": rows})


def _stored(whose: str, address: str) -> Address:
    try:
        return parse_address(address)
    except InvalidAddress as error:
        raise InvalidAddress(f"the address of its {whose} {error}") from error
