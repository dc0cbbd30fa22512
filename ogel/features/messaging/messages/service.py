"""The rules of messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from ogel.features.messaging.devices.store import DeviceStore, DeviceTarget
from ogel.features.messaging.messages.events import MessageEvents
from ogel.features.messaging.messages.message import (
    QUEUE,
    AcceptedMessage,
    AcceptedMessages,
    Message,
    MessageStatus,
    MessageWithAttempts,
    NewMessage,
    NewPush,
    NewSms,
    message_job,
)
from ogel.features.messaging.messages.store import KNOWN_REQUEST, MessageStore
from ogel.kernel.errors import Conflict, Invalid
from ogel.kernel.ids import new_id
from ogel.kernel.principal import Caller
from ogel.runtime.audit import AuditEntry, AuditTrail
from ogel.runtime.database.database import Database, Transaction
from ogel.runtime.delivery.idempotency import Answers, Asked, asked_by
from ogel.runtime.delivery.messages import found_message, unsent_message
from ogel.runtime.jobs.pressure import Admit
from ogel.runtime.jobs.store import JobQueue
from ogel.runtime.messaging import MOST_PUSH_BYTES, push_payload

SMS = "sms"
# A push that must be delivered at once or never still gets a moment to be sent.
LEAST_LIFETIME_SECONDS = 60
# Names that FCM keeps for itself; a device of either kind gets the same data.
_RESERVED = ("from", "message_type", "notification", "collapse_key")
_RESERVED_STARTS = ("google.", "gcm.", "google_")


class _Draft(Struct, frozen=True):
    """A message to be written. `gone` says why it has failed already."""

    id: str
    to: str
    service: str
    gone: str | None

    @property
    def status(self) -> MessageStatus:
        return "failed" if self.gone else "queued"

    def facts(self, channel: str) -> dict[str, Any]:
        """What the query `settle` answers of others."""
        return {
            "id": self.id,
            "channel": channel,
            "to": self.to,
            "status": self.status,
            "provider": None,
            "provider_message_id": None,
            "error": self.gone,
            "attempts": 0,
        }


class MessageService:
    """
    `takes_sms` tells whether an SMS provider is configured. `lifetime_seconds` is the longest lifetime of messages.
    """

    def __init__(
        self,
        database: Database,
        store: MessageStore,
        devices: DeviceStore,
        jobs: JobQueue,
        events: MessageEvents,
        audit: AuditTrail,
        admit: Admit,
        takes_sms: bool,
        lifetime_seconds: int,
    ) -> None:
        self._database = database
        self._store = store
        self._answers = Answers(database, KNOWN_REQUEST, AcceptedMessages)
        self._devices = devices
        self._jobs = jobs
        self._events = events
        self._audit = audit
        self._admit = admit
        self._takes_sms = takes_sms
        self._lifetime_seconds = lifetime_seconds

    async def send(self, caller: Caller, new: NewMessage, header_key: str | None = None) -> AcceptedMessages:
        """Accepts all messages or none. Raises Conflict when the key was used for another request, QueueFull."""
        asked = asked_by(new, header_key)
        return await self._answers.once(asked, lambda: self._accept(caller, new, asked))

    async def _accept(self, caller: Caller, new: NewMessage, asked: Asked) -> AcceptedMessages | None:
        self._check(new)
        self._admit((QUEUE,))
        recipients = [new.to] if isinstance(new.to, str) else new.to
        async with self._database.transaction() as tx:
            drafts = await self._drafts(tx, new, recipients)
            answer = AcceptedMessages([AcceptedMessage(each.id, each.to, each.status) for each in drafts])
            if asked.key is not None and not await self._store.insert_request(tx, asked, answer):
                return None
            await self._write(tx, caller, new, drafts)
        return answer

    async def _write(
        self, tx: Transaction, caller: Caller, new: NewMessage, drafts: Sequence[_Draft]
    ) -> None:
        await self._store.insert(tx, [self._row(new, each) for each in drafts])
        await self._jobs.enqueue(tx, [message_job(each.id, each.service) for each in drafts if not each.gone])
        about = {"channel": _channel(new)}
        await self._audit.record_all(
            tx, [AuditEntry(caller, "message.send", "message", each.id, about) for each in drafts]
        )
        await self._events.ended(tx, [each.facts(_channel(new)) for each in drafts if each.gone])

    def _row(self, new: NewMessage, draft: _Draft) -> dict[str, Any]:
        lifetime = self._lifetime_seconds
        content: dict[str, Any]
        if isinstance(new, NewSms):
            content = {"text": new.text}
        else:
            if new.ttl_seconds is not None:
                lifetime = max(LEAST_LIFETIME_SECONDS, min(lifetime, new.ttl_seconds))
            content = {
                "title": new.title,
                "body": new.body,
                "data": new.data,
                "ttl_seconds": new.ttl_seconds,
            }
        return {
            "id": draft.id,
            "channel": _channel(new),
            "recipient": draft.to,
            "content": content,
            "status": draft.status,
            "error": draft.gone,
            "lifetime_seconds": lifetime,
        }

    async def _drafts(self, tx: Transaction, new: NewMessage, recipients: Sequence[str]) -> list[_Draft]:
        targets: Mapping[str, DeviceTarget] = {}
        if isinstance(new, NewPush):
            targets = await self._devices.targets(tx, recipients)
        drafts = []
        for index, to in enumerate(recipients):
            target = targets.get(to) if isinstance(new, NewPush) else DeviceTarget(SMS, None)
            if target is None:
                raise Invalid.field(_place(new, index), f"there is no device {to!r}")
            drafts.append(_Draft(new_id("msg"), to, target.service, target.disabled_reason))
        return drafts

    def _check(self, new: NewMessage) -> None:
        if isinstance(new.to, list) and len(set(new.to)) < len(new.to):
            index = next(n for n, to in enumerate(new.to) if to in new.to[:n])
            raise Invalid.field(_place(new, index), "stands in the list already")
        if isinstance(new, NewPush):
            _check_push(new)
        elif not self._takes_sms:
            raise Invalid.field("body.channel", "no SMS provider is set up: see OGEL_SMS_PROVIDERS")

    async def list(self, filters: Mapping[str, Any]) -> Sequence[Message]:
        async with self._database.autocommit() as tx:
            return await self._store.list(tx, filters)

    async def get(self, id: str) -> MessageWithAttempts:
        async with self._database.autocommit() as tx:
            message = await self._store.get_with_attempts(tx, id)
        return found_message(message, id)

    async def retry(self, caller: Caller, id: str) -> Message:
        """
        Makes the message due now, with all its attempts and its whole lifetime again. A message that was sent is not
        sent again.
        """
        async with self._database.transaction() as tx:
            message = unsent_message(await self._store.get(tx, id), id)
            job = message_job(id, await self._service_of(tx, message))
            await self._jobs.again(tx, job, f"message {id!r}")
            await self._audit.record(tx, caller, "message.retry", "message", id)
            return unsent_message(await self._store.get(tx, id), id)

    async def _service_of(self, tx: Transaction, message: Message) -> str:
        if message.channel == "sms":
            return SMS
        device = (await self._devices.targets(tx, [message.to])).get(message.to)
        if device is None:
            raise Conflict(f"The device of message {message.id!r} was deleted.")
        if device.disabled_reason is not None:
            raise Conflict(f"The device of message {message.id!r} is gone: {device.disabled_reason}.")
        return device.service


def _check_push(new: NewPush) -> None:
    for name in new.data:
        if name in _RESERVED or name.startswith(_RESERVED_STARTS):
            raise Invalid.field(f"body.data.{name}", "is a name that FCM keeps for itself")
    size = len(push_payload(new.title, new.body, new.data))
    if size > MOST_PUSH_BYTES:
        raise Invalid.field(
            "body", f"title, body and data are {size} bytes; a push takes {MOST_PUSH_BYTES} at most"
        )


def _place(new: NewMessage, index: int) -> str:
    return "body.to" if isinstance(new.to, str) else f"body.to[{index}]"


def _channel(new: NewMessage) -> str:
    return "sms" if isinstance(new, NewSms) else "push"
