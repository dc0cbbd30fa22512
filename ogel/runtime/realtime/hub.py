"""Hands each message to the subscriptions of this process that want it, and waits for none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct

from ogel.kernel.errors import Unavailable
from ogel.runtime.realtime.globs import GlobIndex
from ogel.runtime.realtime.message import Message
from ogel.runtime.realtime.metrics import RealtimeMetrics
from ogel.runtime.realtime.subscription import Reason, Subscription


class HubOptions(Struct, frozen=True):
    """
    max_subscriptions   more clients are turned away, to try another process.
    queue_messages      a client that leaves more than this unread is ended; a batch of 500 events has to fit.
    queue_bytes         likewise. Messages are shared, so many slow clients hold hardly more than one does.
    """

    max_subscriptions: int = 10_000
    queue_messages: int = 1024
    queue_bytes: int = 1024 * 1024


class Hub:
    """All methods run on the event loop and do not await."""

    def __init__(self, metrics: RealtimeMetrics, options: HubOptions) -> None:
        self._metrics = metrics
        self._options = options
        self._index: GlobIndex[Subscription] = GlobIndex()
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    @contextmanager
    def subscribe(self, globs: Sequence[str]) -> Iterator[Subscription]:
        """
        Subscribes for the duration of the block. `globs` match GLOB_PATTERN. Raises Unavailable when full or closed.
        """
        if self._closed:
            raise Unavailable("This process is stopping. Connect again.", retry_after_seconds=1)
        if len(self._subscriptions) >= self._options.max_subscriptions:
            raise Unavailable("There are too many realtime clients here.", retry_after_seconds=5)
        subscription = Subscription(globs, self._options.queue_messages, self._options.queue_bytes)
        self._subscriptions.add(subscription)
        for glob in subscription.globs:
            self._index.add(glob, subscription)
        self._metrics.subscriptions(len(self._subscriptions))
        try:
            yield subscription
        finally:
            self._remove(subscription)

    def publish(self, message: Message) -> None:
        """Delivers a message. A client that is too slow loses its subscription; others are not affected."""
        listeners = self._index.matching(message.type)
        slow = [subscription for subscription in listeners if not subscription.offer(message)]
        for subscription in slow:
            self.end(subscription, Reason.SLOW)
        self._metrics.published(len(listeners) - len(slow))

    def close(self) -> None:
        """Refuses new subscriptions, and ends all others once they have delivered their waiting messages."""
        self._closed = True
        for subscription in list(self._subscriptions):
            self.end(subscription, Reason.SHUTDOWN)

    def end(self, subscription: Subscription, reason: Reason) -> None:
        self._remove(subscription)
        self._metrics.ended(reason, subscription.end(reason))

    def _remove(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)
        for glob in subscription.globs:
            self._index.remove(glob, subscription)
        self._metrics.subscriptions(len(self._subscriptions))
