"""The rules of mail: accepting a request once, looking messages up, retrying them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ogel.features.mail.content import (
    address_of,
    check_headers,
    recipients_of,
    reply_to_of,
    sender_of,
    words_of,
)
from ogel.features.mail.jobs import send_job
from ogel.features.mail.message import (
    AcceptedMail,
    AcceptedRecipient,
    MailMessage,
    MailMessageWithAttempts,
    NewMail,
)
from ogel.features.mail.sealed import seal, without
from ogel.features.mail.store import KNOWN_REQUEST, MailStore, NewRequest
from ogel.features.mail.templating import Templates
from ogel.kernel.errors import Unavailable
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.delivery.idempotency import Answers, Asked, asked_by
from ogel.runtime.delivery.messages import found_message, unsent_message
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.mail.address import Address
from ogel.runtime.secrets.vault import Vault


class MailService:
    """
    sender    is used for mail that names none.
    admit     raises while too much mail is waiting.
    is_ready  see MailQueue, which this is to other features.
    """

    def __init__(
        self,
        database: Database,
        store: MailStore,
        jobs: JobQueue,
        audit: AuditTrail,
        templates: Templates,
        sender: Address | None,
        admit: Callable[[], None],
        vault: Vault,
        has_providers: bool,
    ) -> None:
        self._database = database
        self._store = store
        self._answers = Answers(database, KNOWN_REQUEST, AcceptedMail)
        self._jobs = jobs
        self._audit = audit
        self._templates = templates
        self._sender = sender
        self.admit = admit
        self._vault = vault
        self.is_ready = sender is not None and has_providers

    async def send(self, caller: Caller, mail: NewMail, header_key: str | None = None) -> AcceptedMail:
        """
        Accepts messages for all recipients or for none. `header_key` is the idempotency key if the body has none.
        Raises Conflict when the key was used for another body.
        """
        asked = asked_by(mail, header_key)
        return await self._answers.once(asked, lambda: self._accept(caller, mail, asked))

    async def _accept(self, caller: Caller, mail: NewMail, asked: Asked) -> AcceptedMail | None:
        addresses = recipients_of(mail)
        sender, reply_to = sender_of(mail, self._sender), reply_to_of(mail)
        check_headers(mail.headers)
        words = await words_of(mail, self._templates)
        self.admit()
        request_id = new_id("mail")
        async with self._database.transaction() as tx:
            suppressed = await self._store.suppressed(tx, addresses)
            messages = [_accepted(address, address.key in suppressed) for address in addresses]
            new = NewRequest(
                id=request_id,
                asked=asked,
                sender=sender,
                reply_to=reply_to,
                subject=words.subject,
                text=words.text,
                html=words.html,
                headers=mail.headers,
                template=mail.template,
                locale=words.locale or None,
                sealed=None,
                lifetime_seconds=None,
                messages=messages,
                addresses=addresses,
            )
            if not await self._store.insert(tx, new):
                return None
            queued = [each for each in messages if each.status == "queued"]
            await self._jobs.enqueue(tx, [send_job(each.id, caller) for each in queued])
            metadata = {"messages": [each.id for each in messages], "template": mail.template}
            await self._audit.record(tx, caller, "mail.send", "mail", request_id, metadata)
        return AcceptedMail(messages)

    async def queue(
        self,
        tx: Transaction,
        caller: Caller,
        to: str,
        template: str,
        locales: Sequence[str],
        data: Mapping[str, Any],
        secrets: Mapping[str, str],
        lifetime_seconds: int | None = None,
    ) -> str:
        """See MailQueue. What caused the message is audited by who asks for it."""
        if self._sender is None:
            raise Unavailable("No mail can be sent: OGEL_MAIL_FROM is not set.")
        address = address_of(to, "body.email")
        locale = await self._templates.choose(template, locales)
        words = await self._templates.render(template, locale, {**data, **secrets})
        is_suppressed = bool(await self._store.suppressed(tx, [address]))
        request_id, message = new_id("mail"), _accepted(address, is_suppressed)
        new = NewRequest(
            id=request_id,
            asked=Asked(None, b""),
            sender=self._sender,
            reply_to=None,
            subject=without(secrets.values(), words.subject),
            text=None,
            html=None,
            headers={},
            template=template,
            locale=words.locale,
            sealed=None if is_suppressed else seal(self._vault, request_id, words),
            lifetime_seconds=lifetime_seconds,
            messages=[message],
            addresses=[address],
        )
        await self._store.insert(tx, new)
        if not is_suppressed:
            await self._jobs.enqueue(tx, [send_job(message.id, caller)])
        return message.id

    async def get(self, id: str) -> MailMessageWithAttempts:
        async with self._database.autocommit() as tx:
            return found_message(await self._store.get_with_attempts(tx, id), id)

    async def list(self, filters: Mapping[str, Any]) -> Sequence[MailMessage]:
        """`filters` has `to` as the caller wrote it. Raises Invalid."""
        address = None if filters["to"] is None else address_of(filters["to"], "query.to").key
        async with self._database.autocommit() as tx:
            return await self._store.list(tx, {**filters, "address": address})

    async def retry(self, caller: Caller, id: str) -> MailMessage:
        """Makes the message due now, with all its attempts again. A message that was sent is not sent again."""
        async with self._database.transaction() as tx:
            unsent_message(await self._store.get(tx, id), id)
            await self._jobs.again(tx, send_job(id, caller), f"message {id!r}")
            await self._audit.record(tx, caller, "mail.retry", "mail_message", id)
            return unsent_message(await self._store.get(tx, id), id)


def _accepted(address: Address, is_suppressed: bool) -> AcceptedRecipient:
    return AcceptedRecipient(new_id("msg"), str(address), "suppressed" if is_suppressed else "queued")
