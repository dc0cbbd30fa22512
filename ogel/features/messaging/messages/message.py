"""A message as callers write and read it, and the job that sends it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from ogel.kernel.event import ID_PATTERN
from ogel.kernel.text import STORABLE_PATTERN, pattern
from ogel.runtime.delivery.idempotency import IdempotencyKey
from ogel.runtime.jobs.job import NewJob, job_id_of

SEND = "messaging.send"
QUEUE = "messaging"
MOST_RECIPIENTS = 100
MOST_TTL_SECONDS = (
    28 * 86_400
)  # FCM's limit; other push services decide themselves how long they keep messages

Channel = Literal["sms", "push"]
MessageStatus = Literal["queued", "sent", "failed"]

Number = Annotated[
    str,
    Meta(
        pattern=pattern(r"^\+[1-9][0-9]{6,14}(?!\n)$", "a number in E.164, such as +4915123456789"),
        description="E.164: `+` and country code.",
    ),
]
DeviceId = Annotated[str, Meta(pattern=ID_PATTERN)]
Text = Annotated[str, Meta(min_length=1, max_length=1600, pattern=STORABLE_PATTERN)]
Title = Annotated[str, Meta(min_length=1, max_length=250, pattern=STORABLE_PATTERN)]
Body = Annotated[str, Meta(max_length=3000, pattern=STORABLE_PATTERN)]
Data = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=128, pattern=STORABLE_PATTERN)],
        Annotated[str, Meta(max_length=3000, pattern=STORABLE_PATTERN)],
    ],
    Meta(max_length=50, description="For the app; with title and body, 3993 bytes of JSON at most."),
]
TtlSeconds = Annotated[
    int,
    Meta(ge=0, le=MOST_TTL_SECONDS, description="How long it is worth keeping for a device that is offline."),
]


class NewSms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="channel", tag="sms"):
    to: Number | Annotated[list[Number], Meta(min_length=1, max_length=MOST_RECIPIENTS)]
    text: Text
    idempotency_key: IdempotencyKey | None = None


class NewPush(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="channel", tag="push"):
    to: DeviceId | Annotated[list[DeviceId], Meta(min_length=1, max_length=MOST_RECIPIENTS)]
    title: Title
    body: Body
    data: Data = field(default_factory=dict)
    ttl_seconds: TtlSeconds | None = None
    idempotency_key: IdempotencyKey | None = None


NewMessage = NewSms | NewPush


class AcceptedMessage(Struct, frozen=True):
    """`failed` at once when the device is known to be gone."""

    id: str
    to: str
    status: MessageStatus


class AcceptedMessages(Struct, frozen=True):
    """In the same order as `to`."""

    items: list[AcceptedMessage]


class Message(Struct, frozen=True):
    """
    `sent` means that `provider` accepted it; whether it arrived is only known to the provider. `failed` is final,
    unless it is retried; until then a message whose attempt failed is `queued`. `attempts` counts requests to
    providers. A push's `title` is shown, as a mail's subject is; texts are not, because they may hold codes that give
    access to accounts.
    """

    id: str
    channel: Channel
    to: str
    status: MessageStatus
    title: str | None
    provider: str | None
    provider_message_id: str | None
    error: str | None
    attempts: int
    next_attempt_at: datetime | None
    finished_at: datetime | None
    created_at: datetime


class MessageAttempt(Struct, frozen=True):
    """
    One request to one provider. `unknown` means that its worker disappeared before it could record the outcome, or the
    provider; the message may have been sent.
    """

    id: str
    provider: str | None
    outcome: Literal["sent", "failed", "unknown"]
    error: str | None
    started_at: datetime
    duration_seconds: float | None


class MessageWithAttempts(Message, frozen=True):
    log: list[MessageAttempt]


def message_job(message_id: str, service: str) -> NewJob:
    """
    `service` is `sms`, `fcm` or the origin of a push service, and is the queue key. So a push service that hangs,
    which users may choose, occupies only its own share of a worker.
    """
    return NewJob(SEND, {"message": message_id}, key=f"{QUEUE}:{service}", id=job_id_of(message_id))
