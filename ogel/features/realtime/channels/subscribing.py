"""Subscriptions to channels: where each begins, what it missed, and that nothing comes twice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from ogel.features.realtime.channels.following import Deliver, Following, Lost
from ogel.features.realtime.channels.metrics import ChannelMetrics
from ogel.features.realtime.channels.names import EVENTS
from ogel.features.realtime.channels.recovery import Recovery, recover, recovery_of
from ogel.runtime.database.database import Database
from ogel.runtime.realtime.globs import matches
from ogel.runtime.realtime.hub import Hub
from ogel.runtime.realtime.publication import Position, Publication

# Publications that come while a subscription reads what it missed; beyond that it begins anew.
_MOST_EARLY = 1000


class Subscriber(Protocol):
    """
    A dialect's side of one subscription.

    encode  makes the bytes of a publication, once for all subscribers that have the same one.
    """

    encode: Callable[[Publication], bytes]

    def hear(self, publication: Publication, encoded: bytes) -> None:
        """Writes it to the client."""

    def lost(self) -> None:
        """
        What was published before the next publication is missing, and cannot be found: tell the client to begin anew,
        or that there is a gap.
        """

    def broke(self) -> None:
        """One of the others has raised: end the subscription."""


class Subscribed(Struct, frozen=True):
    """
    position  publications after it are heard.
    recovery  what was missed before it, if that was asked for, of what its roles let it hear.
    reached   up to where that goes, which is less than `position` if it is not whole.
    """

    position: Position
    recovery: Recovery | None
    reached: Position


class Subscription:
    """
    The listener that the hub knows. It passes on what is new to the client, and what its roles let it hear.

    topics  what the hub knows its publications by: the channel, or globs of types of events.
    """

    __slots__ = ("_begun", "_early", "_roles", "_subscriber", "channel", "encode", "topics")

    def __init__(
        self,
        channel: str,
        subscriber: Subscriber,
        roles: Collection[str] | None = None,
        topics: Sequence[str] = (),
    ) -> None:
        """`roles` None: it hears everything."""
        self.channel = channel
        self.topics = tuple(dict.fromkeys(topics)) or (channel,)
        self.encode = subscriber.encode
        self._subscriber = subscriber
        self._roles = None if roles is None else frozenset(roles)
        self._begun = Position("", 0)
        self._early: list[tuple[Publication, bytes]] | None = []

    def may_hear(self, publication: Publication) -> bool:
        return self._roles is None or publication.is_for(self._roles)

    def wants(self, publication: Publication) -> bool:
        """Whether the hub would have handed it to this one."""
        if publication.event is None:
            return publication.channel in self.topics
        return any(matches(topic, publication.event) for topic in self.topics)

    def begin(self, position: Position) -> None:
        self._begun = position

    def go_live(self) -> None:
        """Passes on what has come since it began."""
        early, self._early = self._early, None
        for publication, encoded in early or ():
            self.hear(publication, encoded)

    def hear(self, publication: Publication, encoded: bytes) -> None:
        before = self._begun
        if publication.offset <= before.offset and publication.epoch == before.epoch:
            return  # it was on its way when the subscription began
        if self._early is not None:
            if len(self._early) < _MOST_EARLY:
                self._early.append((publication, encoded))
            else:
                self.broke()
        elif self.may_hear(publication):
            self._subscriber.hear(publication, encoded)

    def lost(self) -> None:
        self._subscriber.lost()

    def broke(self) -> None:
        self._subscriber.broke()


class Subscriptions:
    """All those of this process. `events` is the hub of the stream of events, `channels` that of all others."""

    def __init__(
        self,
        database: Database,
        make_following: Callable[[Deliver, Lost], Following],
        channels: Hub[Publication],
        events: Hub[Publication],
        metrics: ChannelMetrics,
    ) -> None:
        self._database = database
        self.following = make_following(self._deliver, self._lost)
        self._channels = channels
        self._events = events
        self._metrics = metrics
        self._of_channel: dict[str, set[Subscription]] = {}

    async def subscribe(self, subscription: Subscription, since: Position | None = None) -> Subscribed:
        """
        Until `unsubscribe`, which has to follow in any case. What is published after the position is heard once
        `subscription.go_live` was called: the caller first says to the client what was recovered. Raises DatabaseAway.
        """
        channel, following = subscription.channel, self.following
        await following.follow(channel)
        self._of_channel.setdefault(channel, set()).add(subscription)
        hub = self._hub_of(channel)
        for topic in subscription.topics:
            hub.subscribe(topic, subscription)
        position = following.position(channel)
        subscription.begin(position)
        if since is None:
            return Subscribed(position, None, position)
        remembered = following.remembered(channel, since)
        if remembered is None:
            async with self._database.autocommit() as tx:
                found = await recover(tx, channel, since, position)
        else:
            found = recovery_of(remembered, since, len(remembered))
        self._metrics.recovered(found.recovered)
        heard = [
            each for each in found.publications if subscription.wants(each) and subscription.may_hear(each)
        ]
        reached = position if found.is_whole else found.publications[-1].position
        return Subscribed(position, msgspec.structs.replace(found, publications=heard), reached)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Does nothing for one that is not there."""
        channel = subscription.channel
        those = self._of_channel.get(channel, set())
        if subscription not in those:
            return
        those.discard(subscription)
        if not those:
            del self._of_channel[channel]
        for topic in subscription.topics:
            self._hub_of(channel).unsubscribe(topic, subscription)
        self.following.forget(channel)

    def settled_position(self, channel: str) -> Position | None:
        """Up to where everyone who subscribes here has been handed everything; None while some is under way."""
        return self.following.position(channel) if self._hub_of(channel).is_settled else None

    def _hub_of(self, channel: str) -> Hub[Publication]:
        return self._events if channel == EVENTS else self._channels

    def _deliver(self, publication: Publication) -> None:
        if publication.channel == EVENTS:
            if publication.event is not None:  # it is not forgotten
                self._events.publish(publication.event, publication)
        else:
            self._channels.publish(publication.channel, publication)

    def _lost(self, channel: str) -> None:
        for subscription in list(self._of_channel.get(channel, ())):
            subscription.lost()
