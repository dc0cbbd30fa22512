"""What each command does."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

import ogel
from ogel.features.realtime.centrifuge import codec
from ogel.features.realtime.centrifuge.codes import (
    ALREADY_SUBSCRIBED,
    BAD_PROTOCOL,
    BAD_REQUEST,
    CONNECTION_LIMIT,
    FAREWELLS,
    INTERNAL,
    LIMIT_EXCEEDED,
    METHOD_NOT_FOUND,
    NOT_AVAILABLE,
    PERMISSION_DENIED,
    TOKEN_EXPIRED,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    UNRECOVERABLE_POSITION,
    Ended,
    Refused,
)
from ogel.features.realtime.centrifuge.credentials import Credentials, expires_at
from ogel.features.realtime.centrifuge.judging import Judging
from ogel.features.realtime.channels.recovery import first
from ogel.features.realtime.channels.service import ChannelService, Message, check_channel
from ogel.features.realtime.channels.subscribing import Subscribed, Subscriptions
from ogel.features.realtime.namespaces.namespace import Namespace
from ogel.features.realtime.namespaces.service import NamespaceService
from ogel.features.realtime.rights.rules import heard_roles, is_open, may_publish, may_subscribe
from ogel.features.realtime.rights.tokens import (
    BadSubscriptionToken,
    ExpiredSubscriptionToken,
    SubscriptionTokens,
)
from ogel.kernel.errors import Invalid, OgelError, RateLimited, TooLarge, Unavailable
from ogel.kernel.principal import Principal
from ogel.kernel.roles import roles_of
from ogel.runtime.http.admission import Watch
from ogel.runtime.realtime.connections.session import Reason
from ogel.runtime.realtime.publication import Position, Publication

if TYPE_CHECKING:
    from ogel.features.realtime.centrifuge.session import CentrifugeSession

log = structlog.get_logger(__name__)

MOST_CHANNELS = 128
MOST_HISTORY = 100
# Longer than anything of it that waits for the database.
_COMMAND_SECONDS = 15.0

_NONE: Sequence[Publication] = ()
_Perform = Callable[["CentrifugeSession", Any], Awaitable[object]]


class Commands:
    """One for all sessions of a process. What a command returns is its reply."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        namespaces: NamespaceService,
        channels: ChannelService,
        tokens: SubscriptionTokens,
        credentials: Credentials,
        watch: Watch,
        ping_seconds: float,
    ) -> None:
        self.subscriptions = subscriptions
        self.watch = watch
        self.judging = Judging(namespaces)
        self._namespaces = namespaces
        self._channels = channels
        self._tokens = tokens
        self._credentials = credentials
        self._ping_seconds = math.ceil(ping_seconds)
        self._by_name: dict[str, _Perform] = {
            "publish": self._publish,
            "history": self._history,
            "unsubscribe": self._unsubscribe,
            "ping": self._ping,
            "refresh": self._refresh,
            "sub_refresh": self._sub_refresh,
            "presence": self._not_available,
            "presence_stats": self._not_available,
        }

    async def perform(self, session: CentrifugeSession, command: codec.Command) -> None:
        """Answers, whatever happens. Raises Ended when nothing can be answered any more."""
        if session.is_connected == (command.connect is not None):
            raise Ended(BAD_PROTOCOL)
        if command.send is not None:
            return  # there is nobody here to hear it, and it takes no answer
        if not command.id:
            raise Ended(BAD_PROTOCOL)
        try:
            async with asyncio.timeout(_COMMAND_SECONDS):
                await self._answer(session, command)
        except Refused as refused:
            session.refuse(command, refused.error)
        except RateLimited:
            session.refuse(command, TOO_MANY_REQUESTS)
        except TooLarge:
            session.refuse(command, LIMIT_EXCEEDED)
        except Invalid:
            session.refuse(command, BAD_REQUEST)
        except (OgelError, TimeoutError) as error:
            log.warning("realtime.command_away", error=str(error))
            session.refuse(command, INTERNAL)
        except Ended:
            raise
        except Exception:
            log.exception("realtime.command_broke")
            session.refuse(command, INTERNAL)

    async def _answer(self, session: CentrifugeSession, command: codec.Command) -> None:
        if command.connect is not None:
            result = await self._connect(session, command.connect)
            session.write(codec.reply(command.id, "connect", result))
        elif command.subscribe is not None:
            await self._subscribe(session, command.id, command.subscribe)
        else:
            for name, perform in self._by_name.items():
                if (asked := getattr(command, name)) is not None:
                    session.write(codec.reply(command.id, name, await perform(session, asked)))
                    return
            raise Refused(METHOD_NOT_FOUND)

    async def _connect(self, session: CentrifugeSession, asked: codec.Connect) -> object:
        principal = session.principal
        if asked.token:
            principal = await self._credentials.principal(asked.token, session.caller)
        elif principal.kind == "anonymous" and not await self._namespaces.any_is(is_open):
            raise Refused(UNAUTHORIZED)
        return {**self._become(session, principal), "ping": self._ping_seconds, "pong": True}

    async def _refresh(self, session: CentrifugeSession, asked: codec.Refresh) -> object:
        former = session.principal
        principal = await self._credentials.principal(asked.token, session.caller)
        if (principal.kind, principal.id) != (former.kind, former.id):
            raise Refused(PERMISSION_DENIED)
        if not (former.scopes <= principal.scopes and roles_of(former) <= roles_of(principal)):
            # Its subscriptions were made by what it has lost, which nothing has told us yet.
            raise Ended(FAREWELLS[Reason.REVOKED])
        return self._become(session, principal)

    def _become(self, session: CentrifugeSession, principal: Principal) -> dict[str, object]:
        try:
            session.connected(principal)
        except Unavailable:
            raise Ended(CONNECTION_LIMIT) from None
        return {"client": session.id, "version": ogel.__version__, **_lasting(expires_at(principal))}

    async def _subscribe(self, session: CentrifugeSession, id: int, asked: codec.Subscribe) -> None:
        channel, listeners = asked.channel, session.listeners
        rules = await self._rules(channel)
        if channel in listeners:
            raise Refused(ALREADY_SUBSCRIBED)
        if len(listeners) >= MOST_CHANNELS:
            raise Refused(LIMIT_EXCEEDED)
        until = self._let_in(session.principal, asked.channel, asked.token, rules)
        listener = session.listen(channel)
        try:
            since = Position(asked.epoch, asked.offset) if asked.recover else None
            subscribed = await self.subscriptions.subscribe(listener.subscription, since)
            if (
                asked.flag & codec.REJECT_UNRECOVERED
                and subscribed.recovery
                and not subscribed.recovery.recovered
            ):
                raise Refused(UNRECOVERABLE_POSITION)
            is_kept = rules.history_size > 0 and rules.history_seconds > 0
            result = {**_place(subscribed, since), "recoverable": is_kept, **_lasting(until)}
        except BaseException:
            session.leave(listener)
            raise
        session.write(codec.reply(id, "subscribe", result))
        session.live(listener, subscribed, until, is_kept)

    def _let_in(self, principal: Principal, channel: str, token: str, rules: Namespace) -> float | None:
        """Returns until when, if that has an end. Raises Refused."""
        if token:
            return self._verified(principal, channel, token)
        if not may_subscribe(principal, channel, rules):
            raise Refused(PERMISSION_DENIED)
        return None

    async def _sub_refresh(self, session: CentrifugeSession, asked: codec.SubRefresh) -> object:
        listener = session.listeners.get(asked.channel)
        if listener is None:
            raise Refused(PERMISSION_DENIED)
        until = self._verified(session.principal, asked.channel, asked.token)
        listener.expires(until)
        return _lasting(until)

    def _verified(self, principal: Principal, channel: str, token: str) -> float:
        try:
            return self._tokens.verify(token, channel, principal)
        except ExpiredSubscriptionToken:
            raise Refused(TOKEN_EXPIRED) from None
        except BadSubscriptionToken:
            raise Refused(PERMISSION_DENIED) from None

    async def _unsubscribe(self, session: CentrifugeSession, asked: codec.Unsubscribe) -> object:
        if (listener := session.listeners.get(asked.channel)) is not None:
            session.leave(listener)
        return {}

    async def _publish(self, session: CentrifugeSession, asked: codec.Publish) -> object:
        rules = await self._rules(asked.channel)
        if not asked.data:
            raise Refused(BAD_REQUEST)
        if not may_publish(session.principal, asked.channel, rules):
            raise Refused(PERMISSION_DENIED)
        await self._channels.publish([(asked.channel, Message(data=asked.data))], ["publish"])
        return {}

    async def _history(self, session: CentrifugeSession, asked: codec.History) -> object:
        channel, since, principal = asked.channel, asked.since, session.principal
        rules = await self._rules(channel)
        if channel not in session.listeners and not may_subscribe(principal, channel, rules):
            raise Refused(PERMISSION_DENIED)
        limit = MOST_HISTORY if asked.limit < 0 else min(asked.limit, MOST_HISTORY)
        after = None if asked.reverse else since.offset if since else 0
        before = since.offset if since and asked.reverse else None
        position, found = await self._channels.kept(channel, after, before, limit)
        if since is not None and since.epoch and since.epoch != position.epoch:
            raise Refused(UNRECOVERABLE_POSITION)
        roles = heard_roles(principal)
        heard = [each for each in first(found) if roles is None or each.is_for(roles)]
        return {"epoch": position.epoch, "offset": position.offset, "publications": _said(heard)}

    async def _ping(self, session: CentrifugeSession, asked: codec.Nothing) -> object:
        return {}

    async def _not_available(self, session: CentrifugeSession, asked: codec.Nothing) -> object:
        raise Refused(NOT_AVAILABLE)

    async def _rules(self, channel: str) -> Namespace:
        check_channel(channel)
        return await self._namespaces.of(channel)


def _place(subscribed: Subscribed, since: Position | None) -> dict[str, object]:
    """
    Each publication that is recovered moves the client on, from the position that it named; behind the last, it has
    heard whatever was not for it, too.
    """
    recovery, position = subscribed.recovery, subscribed.position
    place: dict[str, object] = {"epoch": position.epoch, "positioned": True}
    if recovery is None or since is None:
        return {**place, "offset": position.offset}
    publications = recovery.publications
    offset = since.offset if publications else subscribed.reached.offset
    was = {"was_recovering": True, "recovered": recovery.recovered}
    return {**place, "offset": offset, **was, "publications": _said(publications)}


def _said(publications: Sequence[Publication]) -> list[msgspec.Raw]:
    return [msgspec.Raw(codec.pub(each)) for each in publications]


def _lasting(until: float | None) -> dict[str, object]:
    if until is None:
        return {}
    return {"expires": True, "ttl": max(1, int(until - time.time()))}
