"""A session of Ogel's own dialect: one client that listens to events and channels until its key ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec import Struct

from ogel.features.realtime.channels.subscribing import Subscribed, Subscription, Subscriptions
from ogel.features.realtime.own.codec import Ready, Words
from ogel.features.realtime.own.cursor import Cursors
from ogel.runtime.http.admission import Ending, Watch
from ogel.runtime.realtime.connections.connection import Connection
from ogel.runtime.realtime.connections.session import Farewell, Reason
from ogel.runtime.realtime.publication import Position, Publication

SCOPE = "realtime:read"


class Voice(NamedTuple):
    """The words of one transport, and the cursors that go with them."""

    words: Words
    cursors: Cursors

    def alone(self, publication: Publication) -> bytes:
        """For all who hear nothing but this channel: their cursors are the same."""
        cursor = self.cursors.written({publication.channel: publication.position})
        return self.words.with_cursor(self.words.said(publication), cursor)


class Listener:
    """One subscription of the session. Implements Subscriber; until there is a session, nothing comes."""

    __slots__ = ("_session", "channel", "encode")

    def __init__(self, channel: str, encode: Callable[[Publication], bytes]) -> None:
        self.channel = channel
        self.encode = encode
        self._session: OwnSession | None = None

    def join(self, session: OwnSession) -> None:
        self._session = session

    def hear(self, publication: Publication, encoded: bytes) -> None:
        if self._session is not None:
            self._session.hear(publication, encoded)

    def lost(self) -> None:
        if self._session is not None:
            self._session.lost(self.channel)

    def broke(self) -> None:
        if self._session is not None:
            self._session.broke()


class Opened(Struct):
    """What a client asked for, subscribed to, until `leave`."""

    ready: Ready
    subscribed: Sequence[tuple[Listener, Subscription, Subscribed]]
    leave: Callable[[], None]


class OwnSession:
    """Implements Session."""

    __slots__ = ("_connection", "_forget", "_is_alone", "_opened", "_positions", "_subscriptions", "_voice")

    def __init__(
        self,
        connection: Connection,
        voice: Voice,
        opened: Opened,
        subscriptions: Subscriptions,
        watch: Watch,
    ) -> None:
        self._connection = connection
        self._voice = voice
        self._opened = opened
        self._subscriptions = subscriptions
        self._is_alone = len(opened.subscribed) == 1
        self._positions = {listener.channel: at.position for listener, _, at in opened.subscribed}
        for listener, _, _ in opened.subscribed:
            listener.join(self)
        self._forget = watch.watch(connection.principal, SCOPE, self._key_ended)
        self._begin()

    # For subscriptions.

    def hear(self, publication: Publication, encoded: bytes) -> None:
        self._positions[publication.channel] = publication.position
        if not self._is_alone:
            encoded = self._voice.words.with_cursor(encoded, self._cursor())
        if not self._connection.write(encoded):
            self._connection.end(Reason.SLOW)

    def lost(self, channel: str) -> None:
        self._connection.write(self._voice.words.gap(channel))

    def broke(self) -> None:
        self._connection.end(Reason.FAILED)

    # For the connection.

    def received(self, message: str | bytes) -> None:
        """Clients have nothing to say yet; short messages are ignored."""

    def rate_limited(self, message: str | bytes) -> None:
        """There is nothing to answer in this dialect."""
        self._connection.end(Reason.FLOODED)

    def ping(self) -> None:
        self._up_to_now()
        self._connection.write(self._voice.words.ping(self._cursor()))

    def ended(self, reason: Reason) -> Farewell:
        return self._voice.words.farewell(reason)

    def gone(self) -> None:
        self._forget()
        self._opened.leave()

    def _begin(self) -> None:
        """Says what was missed, and then what has come since. Who missed too much for one time comes back for more."""
        subscribed = self._opened.subscribed
        missed = {listener: at.recovery.publications for listener, _, at in subscribed if at.recovery}
        for publications in missed.values():
            for each in publications[:1]:
                self._positions[each.channel] = Position(each.epoch, each.offset - 1)
        self._connection.write(self._voice.words.ready(self._opened.ready, self._cursor()))
        for listener, publications in missed.items():
            for each in publications:
                self.hear(each, listener.encode(each))
        if not all(at.recovery is None or at.recovery.is_whole for _, _, at in subscribed):
            # Only once there is a session can it be ended.
            asyncio.get_running_loop().call_soon(self._connection.end, Reason.BEHIND)
            return
        self._positions = {listener.channel: at.position for listener, _, at in subscribed}
        for _, subscription, _ in subscribed:
            subscription.go_live()

    def _up_to_now(self) -> None:
        """What was published without being for this client has been heard, too: its cursor stays young."""
        for channel in self._positions:
            if (position := self._subscriptions.settled_position(channel)) is not None:
                self._positions[channel] = position

    def _cursor(self) -> str:
        return self._voice.cursors.written(self._positions)

    def _key_ended(self, ending: Ending) -> None:
        self._connection.end(Reason(ending))
