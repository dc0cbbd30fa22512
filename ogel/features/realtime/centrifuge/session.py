"""A session of Centrifugo's dialect: what a client says is done one command after the other, and answered."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from uuid import uuid4

from ogel.features.realtime.centrifuge.codec import (
    PING,
    Command,
    NotReadable,
    commands,
    pushed,
    refusal,
    unsubscribed,
)
from ogel.features.realtime.centrifuge.codes import (
    BAD_PROTOCOL,
    FAREWELLS,
    INSUFFICIENT_STATE,
    NO_PONG,
    NOT_ANY_MORE,
    STALE,
    SUBSCRIPTION_EXPIRED,
    TOO_MANY_REQUESTS,
    Ended,
    Error,
    Unsubscribed,
)
from ogel.features.realtime.centrifuge.commands import Commands
from ogel.features.realtime.centrifuge.credentials import expires_at
from ogel.features.realtime.channels.subscribing import Subscribed, Subscription
from ogel.features.realtime.namespaces.namespace import Namespace
from ogel.features.realtime.rights.rules import READ, WRITE, heard_roles, may_subscribe
from ogel.kernel.principal import Caller, Principal
from ogel.kernel.roles import CLAIM
from ogel.runtime.database.patience import be_patient_as_a_request
from ogel.runtime.http.admission import Ending
from ogel.runtime.realtime.connections.connection import Connection
from ogel.runtime.realtime.connections.session import Farewell, Reason
from ogel.runtime.realtime.publication import Publication

# Who has not said `connect` by then is closed.
STALE_SECONDS = 10.0
# Commands that wait for those before them: a client brings back all its subscriptions in one frame.
MOST_WAITING = 256
# For a client to bring a new token, after the time it was told.
GRACE_SECONDS = 25.0


class Listener:
    """
    One subscription of the session. Implements Subscriber.

    has_epoch  False: nobody had published to the channel when the client was told of its position. The first
               publication brings an epoch, without which the client could not come back: it subscribes again at once,
               and gets that publication by recovery.
    is_live    the client knows of it.
    is_lost    it was lost before.
    by_token   it was let in by a subscription token, and so not by rules.
    """

    __slots__ = (
        "_expiry",
        "_session",
        "by_token",
        "channel",
        "encode",
        "has_epoch",
        "is_live",
        "is_lost",
        "subscription",
    )

    encode: Callable[[Publication], bytes]

    def __init__(self, session: CentrifugeSession, channel: str) -> None:
        self.channel = channel
        self.encode = pushed
        self.has_epoch = True
        self.is_live = self.is_lost = self.by_token = False
        self._session = session
        self._expiry: asyncio.TimerHandle | None = None
        self.subscription = Subscription(channel, self, heard_roles(session.principal))

    def hear(self, publication: Publication, encoded: bytes) -> None:
        if self.has_epoch:
            self._session.hear(self, encoded)
        else:
            self.lost()

    def lost(self) -> None:
        self._session.unsubscribe(self, INSUFFICIENT_STATE)

    def broke(self) -> None:
        self._session.unsubscribe(self, INSUFFICIENT_STATE)

    def expires(self, at: float | None) -> None:
        """In seconds since 1970, unless another time is said by then. None: not at all."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = None if at is None else _later(at, self._expired)

    def _expired(self) -> None:
        self._session.unsubscribe(self, SUBSCRIPTION_EXPIRED)


class CentrifugeSession:
    """
    Implements Session.

    id          by which the client knows its connection.
    principal   who it is; until it `is_connected`, who its request said.
    listeners   its subscriptions by channel, those too that are being made.
    """

    __slots__ = (
        "_commands",
        "_connection",
        "_expiry",
        "_farewell",
        "_forget",
        "_has_gone",
        "_stale",
        "_waiting",
        "_waits_for_pong",
        "_working",
        "caller",
        "id",
        "is_connected",
        "listeners",
        "principal",
    )

    def __init__(self, connection: Connection, caller: Caller, commands: Commands) -> None:
        self.id = str(uuid4())
        self.caller = caller
        self.principal = connection.principal
        self.is_connected = False
        self.listeners: dict[str, Listener] = {}
        self._connection = connection
        self._commands = commands
        self._waiting: deque[Command] = deque()
        self._working: asyncio.Task[None] | None = None
        self._farewell: Farewell | None = None
        self._waits_for_pong = self._has_gone = False
        self._expiry: asyncio.TimerHandle | None = None
        self._forget: list[Callable[[], None]] = []
        self._stale = asyncio.get_running_loop().call_later(STALE_SECONDS, self.end, STALE)
        connection.always_pinged = True

    # For the connection.

    def received(self, message: str | bytes) -> None:
        self._waits_for_pong = False
        for command in self._read(message):
            if command == Command():
                continue  # a pong
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append(command)
            else:
                self.refuse(command, TOO_MANY_REQUESTS)
        if self._waiting and self._working is None and not self._has_gone:
            self._working = asyncio.create_task(self._work())

    def rate_limited(self, message: str | bytes) -> None:
        for command in self._read(message):
            self.refuse(command, TOO_MANY_REQUESTS)

    def ping(self) -> None:
        if not self.is_connected:
            return
        if self._waits_for_pong:
            self.end(NO_PONG)
        else:
            self._waits_for_pong = True
            self._connection.write(PING)

    def ended(self, reason: Reason) -> Farewell:
        return self._farewell or FAREWELLS[reason]

    def gone(self) -> None:
        self._has_gone = True
        self._stale.cancel()
        self._waiting.clear()
        if self._working is not None:
            self._working.cancel()
        for listener in list(self.listeners.values()):
            self.leave(listener)
        self._commands.judging.remove(self)
        self._stop_watching()

    # For subscriptions.

    def hear(self, listener: Listener, encoded: bytes) -> None:
        if self.listeners.get(listener.channel) is listener:
            self.write(encoded)

    def unsubscribe(self, listener: Listener, why: Unsubscribed) -> None:
        """Tells the client, too."""
        if not listener.is_live:
            listener.is_lost = True
        elif self.listeners.get(listener.channel) is listener:
            self.leave(listener)
            self.write(unsubscribed(listener.channel, why))

    def judge(self, rules_of: Callable[[str], Namespace]) -> None:
        """Ends the subscriptions that these rules do not allow."""
        for channel, listener in list(self.listeners.items()):
            if not listener.by_token and not may_subscribe(self.principal, channel, rules_of(channel)):
                self.unsubscribe(listener, NOT_ANY_MORE)

    # For commands.

    def write(self, frame: bytes) -> None:
        if not self._connection.write(frame):
            self._connection.end(Reason.SLOW)

    def refuse(self, command: Command, error: Error) -> None:
        """What has no id expects no answer."""
        if command.id:
            self.write(refusal(command.id, error))

    def end(self, farewell: Farewell) -> None:
        self._farewell = farewell
        self._connection.end(Reason.REFUSED)

    def connected(self, principal: Principal) -> None:
        """As whom, from now on. Raises Unavailable when that one has too many connections."""
        self._connection.become(principal)
        self._stale.cancel()
        self.principal = principal
        self.is_connected = True
        self._stop_watching()
        self._watch(principal)
        if not principal.may(READ):
            self._commands.judging.add(self)

    def listen(self, channel: str) -> Listener:
        """Its place is taken before there is a subscription, until `leave`."""
        listener = self.listeners[channel] = Listener(self, channel)
        return listener

    def leave(self, listener: Listener) -> None:
        listener.expires(None)
        self.listeners.pop(listener.channel, None)
        self._commands.subscriptions.unsubscribe(listener.subscription)

    def live(self, listener: Listener, subscribed: Subscribed, until: float | None, is_kept: bool) -> None:
        """
        Once the client knows where the subscription begins. Who missed more than that comes back for the rest. What is
        not kept cannot be come back to.
        """
        listener.expires(until)
        listener.is_live, listener.by_token = True, until is not None
        is_whole = subscribed.recovery is None or subscribed.recovery.is_whole
        if listener.is_lost or not is_whole:
            self.unsubscribe(listener, INSUFFICIENT_STATE)
        else:
            listener.has_epoch = bool(subscribed.position.epoch) or not is_kept
            listener.subscription.go_live()

    def _read(self, message: str | bytes) -> list[Command]:
        try:
            return list(commands(message))
        except NotReadable:
            self.end(BAD_PROTOCOL)
            return []

    async def _work(self) -> None:
        be_patient_as_a_request()
        try:
            while self._waiting:
                command = self._waiting.popleft()
                await self._commands.perform(self, command)
        except Ended as ended:
            self.end(ended.farewell)
        finally:
            self._working = None

    def _watch(self, principal: Principal) -> None:
        """A key may lose what it may, and a person a role, by which it was let in or hears something."""
        needed = ["", *(scope for scope in (READ, WRITE) if principal.may(scope))]
        roles = principal.claims.get(CLAIM, ()) if principal.kind == "user" else ()
        watch = self._commands.watch.watch
        self._forget = [watch(principal, each, self._principal_ended) for each in (*needed, *roles)]
        at = expires_at(principal)
        self._expiry = None if at is None else _later(at, self._expired)

    def _stop_watching(self) -> None:
        for forget in self._forget:
            forget()
        self._forget = []
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _principal_ended(self, ending: Ending) -> None:
        self._connection.end(Reason(ending))

    def _expired(self) -> None:
        self._connection.end(Reason.EXPIRED)


def _later(at: float, what: Callable[[], None]) -> asyncio.TimerHandle:
    seconds = max(0.0, at - time.time()) + GRACE_SECONDS
    return asyncio.get_running_loop().call_later(seconds, what)
