"""
Commands and replies, each a JSON object on a line of its own; a frame has one or several. A command has an id, and the
name of what is asked as a field; its reply has the same two, or `error`. An empty object is a ping, and the answer to
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Struct

from ogel.features.realtime.centrifuge.codes import Error, Unsubscribed
from ogel.runtime.realtime.connections.frames import TEXT, frame
from ogel.runtime.realtime.publication import Publication

# More than a client has subscriptions to bring back at once.
MOST_IN_A_FRAME = 512

Id = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Short = Annotated[str, msgspec.Meta(max_length=255)]
Token = Annotated[str, msgspec.Meta(max_length=16_384)]

# Of `Subscribe.flag`: who cannot recover wants error 112 instead of a subscription without what was missed.
REJECT_UNRECOVERED = 2


class Connect(Struct, frozen=True):
    token: Token = ""


class Subscribe(Struct, frozen=True):
    """`recover`: with what was published after `offset` in `epoch`."""

    channel: str = ""
    token: Token = ""
    recover: bool = False
    epoch: Short = ""
    offset: Offset = 0
    flag: int = 0


class Unsubscribe(Struct, frozen=True):
    channel: str = ""


class Publish(Struct, frozen=True):
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class Since(Struct, frozen=True):
    offset: Offset = 0
    epoch: Short = ""


class History(Struct, frozen=True):
    """`limit` 0: only the position; -1: as many as come at once."""

    channel: str = ""
    limit: Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1)] = 0
    since: Since | None = None
    reverse: bool = False


class Refresh(Struct, frozen=True):
    token: Token = ""


class SubRefresh(Struct, frozen=True):
    channel: str = ""
    token: Token = ""


class Nothing(Struct, frozen=True):
    """What is asked for without anything that we would look at."""


class Command(Struct, frozen=True):
    id: Id = 0
    connect: Connect | None = None
    subscribe: Subscribe | None = None
    unsubscribe: Unsubscribe | None = None
    publish: Publish | None = None
    history: History | None = None
    presence: Nothing | None = None
    presence_stats: Nothing | None = None
    ping: Nothing | None = None
    send: Nothing | None = None
    refresh: Refresh | None = None
    sub_refresh: SubRefresh | None = None


_decoder = msgspec.json.Decoder(Command)


class NotReadable(Exception):
    """It is not of this protocol."""


def commands(message: str | bytes) -> Sequence[Command]:
    """Raises NotReadable."""
    lines = message.split("\n") if isinstance(message, str) else message.split(b"\n")
    if len(lines) > MOST_IN_A_FRAME:
        raise NotReadable
    try:
        return [_decoder.decode(line) for line in lines if line.strip()]
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise NotReadable from error


PING = frame(TEXT, b"{}")


def reply(id: int, name: str, result: object) -> bytes:
    return _said({"id": id, name: result})


def refusal(id: int, error: Error) -> bytes:
    about: dict[str, object] = {"code": error.code, "message": error.message}
    return _said({"id": id, "error": {**about, "temporary": True} if error.temporary else about})


def pushed(publication: Publication) -> bytes:
    """The same for all who subscribe to its channel."""
    channel = msgspec.json.encode(publication.channel)
    return frame(TEXT, b'{"push":{"channel":%b,"pub":%b}}' % (channel, pub(publication)))


def unsubscribed(channel: str, why: Unsubscribed) -> bytes:
    return _said({"push": {"channel": channel, "unsubscribe": why._asdict()}})


def pub(publication: Publication) -> bytes:
    # A publisher's JSON may span lines, and a line ends what is said.
    data = publication.data.replace(b"\n", b" ")
    tags = b',"tags":%b' % msgspec.json.encode(publication.tags) if publication.tags else b""
    return b'{"data":%b,"offset":%d%b}' % (data, publication.offset, tags)


def _said(what: object) -> bytes:
    return frame(TEXT, msgspec.json.encode(what))
