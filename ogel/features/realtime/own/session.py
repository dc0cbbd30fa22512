"""A session of Ogel's own dialect: one client that listens to events until its key ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ogel.features.realtime.listening import Presence
from ogel.features.realtime.own.codec import Words
from ogel.runtime.http.admission import Ending, Watch
from ogel.runtime.realtime.connections.connection import Connection
from ogel.runtime.realtime.connections.session import Farewell, Reason
from ogel.runtime.realtime.hub import Hub
from ogel.runtime.realtime.message import Message

SCOPE = "realtime:read"


class OwnSession:
    """Implements Session, and Listener of the hub."""

    __slots__ = ("_connection", "_forget", "_globs", "_hub", "_leave", "_words", "encode")

    encode: Callable[[Message], bytes]

    def __init__(
        self,
        connection: Connection,
        words: Words,
        globs: Sequence[str],
        hub: Hub[Message],
        presence: Presence,
        watch: Watch,
    ) -> None:
        self.encode = words.event
        self._connection = connection
        self._words = words
        self._globs = tuple(dict.fromkeys(globs))
        self._hub = hub
        self._leave = presence.stay()
        for glob in self._globs:
            hub.subscribe(glob, self)
        connection.write(words.ready(self._globs))
        self._forget = watch.watch(connection.principal, SCOPE, self._key_ended)

    # For the hub.

    def hear(self, _: Message, encoded: bytes) -> None:
        if not self._connection.write(encoded):
            self._connection.end(Reason.SLOW)

    def broke(self) -> None:
        self._connection.end(Reason.FAILED)

    # For the connection.

    def received(self, message: str | bytes) -> None:
        """Clients have nothing to say yet; short messages are ignored."""

    def rate_limited(self, message: str | bytes) -> None:
        """There is nothing to answer in this dialect."""
        self._connection.end(Reason.FLOODED)

    def ping(self) -> None:
        self._connection.write(self._words.ping)

    def ended(self, reason: Reason) -> Farewell:
        return self._words.farewell(reason)

    def gone(self) -> None:
        for glob in self._globs:
            self._hub.unsubscribe(glob, self)
        self._forget()
        self._leave()

    def _key_ended(self, ending: Ending) -> None:
        self._connection.end(Reason(ending))
