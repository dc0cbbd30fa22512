"""The rules of mail: accepting it once, looking it up, trying it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ogel.features.audit.contract import AuditTrail
from ogel.features.mail.content import (
    address_of,
    check_headers,
    fingerprint,
    recipients_of,
    reply_to_of,
    sender_of,
    words_of,
)
from ogel.features.mail.jobs import job_id_of, send_job
from ogel.features.mail.message import Accepted, AcceptedMail, MailMessage, MailMessageWithAttempts, NewMail
from ogel.features.mail.store import MailStore, NewRequest
from ogel.features.mail.templating import Templates
from ogel.kernel.errors import Conflict, Invalid, NotFound
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.database import Database
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.mail.address import Address

Found = TypeVar("Found", bound=MailMessage)


class MailService:
    """`sender` is for mail that names none; `admit` raises while too much mail waits."""

    def __init__(
        self,
        database: Database,
        store: MailStore,
        jobs: JobQueue,
        audit: AuditTrail,
        templates: Templates,
        sender: Address | None,
        admit: Callable[[], None],
    ) -> None:
        self._database = database
        self._store = store
        self._jobs = jobs
        self._audit = audit
        self._templates = templates
        self._sender = sender
        self._admit = admit

    async def send(self, caller: Caller, mail: NewMail, header_key: str | None = None) -> AcceptedMail:
        """
        Messages for all recipients or for none. `header_key` is the idempotency key where the body has none. Raises
        Conflict when the key stands for another body.
        """
        key = _key(mail.idempotency_key, header_key)
        asked = fingerprint(mail)
        if key is not None and (answer := await self._answered(key, asked)):
            return answer
        addresses = recipients_of(mail)
        sender, reply_to = sender_of(mail, self._sender), reply_to_of(mail)
        check_headers(mail.headers)
        words = await words_of(mail, self._templates)
        self._admit()
        request_id = new_id("mail")
        async with self._database.transaction() as tx:
            suppressed = await self._store.suppressed(tx, addresses)
            messages = [_accepted(address, address.key in suppressed) for address in addresses]
            new = NewRequest(
                id=request_id,
                idempotency_key=key,
                fingerprint=asked,
                sender=sender,
                reply_to=reply_to,
                subject=words.subject,
                text=words.text,
                html=words.html,
                headers=mail.headers,
                template=mail.template,
                locale=words.locale or None,
                messages=messages,
                addresses=addresses,
            )
            if await self._store.insert(tx, new):
                queued = [each for each in messages if each.status == "queued"]
                await self._jobs.enqueue(tx, [send_job(each.id, caller) for each in queued])
                metadata = {"messages": [each.id for each in messages], "template": mail.template}
                await self._audit.record(tx, caller, "mail.send", "mail", request_id, metadata)
                return AcceptedMail(messages)
        # Somebody was faster with the same key.
        assert key is not None
        answer = await self._answered(key, asked)
        if answer is None:
            raise Conflict(f"The idempotency key {key!r} was just forgotten; ask again.")
        return answer

    async def get(self, id: str) -> MailMessageWithAttempts:
        async with self._database.session() as session:
            return _found(await self._store.get_with_attempts(session, id), id)

    async def list(self, filters: Mapping[str, Any]) -> Sequence[MailMessage]:
        """`filters` has `to` as a caller writes it. Raises Invalid."""
        address = None if filters["to"] is None else address_of(filters["to"], "query.to").key
        async with self._database.session() as session:
            return await self._store.list(session, {**filters, "address": address})

    async def retry(self, caller: Caller, id: str) -> MailMessage:
        """At once, with all attempts before it. What was sent is not sent again."""
        async with self._database.transaction() as tx:
            message = _found(await self._store.get(tx, id), id)
            if message.status == "sent":
                raise _sent(id)
            # The job first, the message after it: the order in which workers lock them.
            if not await self._jobs.revive(tx, job_id_of(id)):
                if not await self._jobs.enqueue(tx, [send_job(id, caller)]):
                    raise Conflict(f"An attempt of message {id!r} is under way.")
                if not await self._store.reopen(tx, [id]):
                    raise _sent(id)
            await self._audit.record(tx, caller, "mail.retry", "mail_message", id)
            return _found(await self._store.get(tx, id), id)

    async def _answered(self, key: str, asked: bytes) -> AcceptedMail | None:
        async with self._database.session() as session:
            known = await self._store.answered(session, key)
        if known is None:
            return None
        if known[0] != asked:
            raise Conflict(f"The idempotency key {key!r} stands for another body.")
        return known[1]


def _accepted(address: Address, is_suppressed: bool) -> Accepted:
    return Accepted(new_id("msg"), str(address), "suppressed" if is_suppressed else "queued")


def _key(in_body: str | None, in_header: str | None) -> str | None:
    if in_body is not None and in_header is not None and in_body != in_header:
        raise Invalid.field("body.idempotency_key", "differs from the header Idempotency-Key")
    return in_body if in_body is not None else in_header


def _found(message: Found | None, id: str) -> Found:
    if message is None:
        raise NotFound(f"No message {id!r}.")
    return message


def _sent(id: str) -> Conflict:
    return Conflict(f"Message {id!r} was sent.")
