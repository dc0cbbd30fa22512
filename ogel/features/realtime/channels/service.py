"""What may be published to channels, and what is known of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Struct

from ogel.features.realtime.channels import store
from ogel.features.realtime.channels.names import CHANNEL_PATTERN, MAX_LENGTH, ChannelName
from ogel.features.realtime.channels.publishing import ChannelPublisher
from ogel.features.realtime.channels.store import ChannelRow, NewPublication
from ogel.kernel.errors import FieldError, Invalid, TooLarge
from ogel.kernel.roles import parse_role
from ogel.kernel.text import LINE_PATTERN, STORABLE_PATTERN
from ogel.runtime.database.database import Database
from ogel.runtime.realtime.publication import Position, Publication

MOST_AT_ONCE = 500
MOST_BATCH_BYTES = 4 * 1024 * 1024
_CHANNEL = re.compile(CHANNEL_PATTERN)
_MOST_OFFSET = 2**53 - 1

Tag = Annotated[str, msgspec.Meta(max_length=255, pattern=STORABLE_PATTERN)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=LINE_PATTERN)]


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    `data` is any JSON, and comes to subscribers as it was sent. `roles`: only who has one of them hears it. Of the same
    `idempotency_key` in a channel, only the first is published, as long as that is kept.
    """

    data: msgspec.Raw
    tags: Annotated[dict[Tag, Tag], msgspec.Meta(max_length=16)] | None = None
    roles: Annotated[list[str], msgspec.Meta(min_length=1, max_length=100)] | None = None
    idempotency_key: Key | None = None


class ChannelMessage(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    channel: ChannelName


class Place(Struct, frozen=True):
    """`offset` counts the publications of a channel; those of another `epoch` mean nothing to it."""

    epoch: str
    offset: int


class KeptMessage(Struct, frozen=True):
    offset: int
    data: msgspec.Raw
    tags: dict[str, str] | None
    roles: list[str] | None
    published_at: datetime


class History(Struct, frozen=True):
    """`epoch` and `offset` are the channel's latest position; of a channel without any, an empty one and 0."""

    epoch: str
    offset: int
    items: list[KeptMessage]


class ChannelService:
    def __init__(self, database: Database, publisher: ChannelPublisher, most_bytes: int) -> None:
        self._database = database
        self._publisher = publisher
        self._most_bytes = most_bytes

    async def publish(self, messages: Sequence[tuple[str, Message]], paths: Sequence[str]) -> list[Place]:
        """
        Each with its channel: all of them or none. `paths` are where they stand, for errors. Raises Invalid and
        TooLarge, naming the field.
        """
        items = [
            self._checked(channel, message, path)
            for (channel, message), path in zip(messages, paths, strict=True)
        ]
        return [Place(each.epoch, each.offset) for each in await self._publisher.publish(items)]

    async def history(self, channel: str, after: int | None, before: int | None, limit: int) -> History:
        """Oldest first after an offset; newest first otherwise, before one or from the end."""
        top, found = await self.kept(channel, after, before, limit)
        return History(top.epoch, top.offset, [_kept(each) for each in found])

    async def kept(
        self, channel: str, after: int | None, before: int | None, limit: int
    ) -> tuple[Position, Sequence[Publication]]:
        """The same as publications, with the channel's latest position."""
        check_channel(channel)
        async with self._database.autocommit() as tx:
            top = (await store.tops(tx, [channel])).get(channel, Position("", 0))
            if after is not None:
                found = await store.history(tx, channel, after, limit)
            else:
                found = await store.latest(tx, channel, before or _MOST_OFFSET, limit)
        return top, found

    async def list(self, prefix: str, after: str, limit: int) -> list[ChannelRow]:
        async with self._database.autocommit() as tx:
            return await store.channels(tx, prefix, after, limit)

    def _checked(self, channel: str, message: Message, path: str) -> NewPublication:
        data = bytes(message.data)
        if len(data) > self._most_bytes:
            said = f"has {len(data)} bytes; a publication takes {self._most_bytes} at most"
            raise TooLarge(f"{path}.data {said}.", errors=(FieldError(f"{path}.data", said),))
        try:
            msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Invalid.field(f"{path}.data", f"is not sound JSON: {error}") from None
        for role in message.roles or ():
            try:
                parse_role(role)
            except ValueError as error:
                raise Invalid.field(f"{path}.roles", str(error)) from None
        return NewPublication(
            channel, data.decode(), None, message.tags, message.roles, message.idempotency_key
        )


def check_channel(channel: str, path: str = "path.name") -> None:
    """Raises Invalid for what is no channel's name."""
    if len(channel) > MAX_LENGTH or not _CHANNEL.fullmatch(channel):
        words = f"1 to {MAX_LENGTH} characters of one line, which do not begin with a space or $"
        raise Invalid.field(path, f"is no channel's name: it takes {words}")


def _kept(publication: Publication) -> KeptMessage:
    return KeptMessage(
        publication.offset,
        msgspec.Raw(publication.data),
        publication.tags,
        publication.roles,
        publication.at,
    )
