"""Hands each publication to the listeners of this process that want it: encoded once for all that speak alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

import structlog

from ogel.runtime.realtime.connections.dispatcher import Dispatcher
from ogel.runtime.realtime.metrics import RealtimeMetrics

log = structlog.get_logger(__name__)

Publication = TypeVar("Publication")

# Handed out between two looks at the clock.
_LISTENERS_AT_ONCE = 64


class Listener(Protocol[Publication]):
    """
    encode  makes the bytes that go to the client, frame included. It is called once for each publication, however many
            listeners have the same one.
    """

    encode: Callable[[Publication], bytes]

    def hear(self, publication: Publication, encoded: bytes) -> None:
        """
        Writes it to the client, most of all. Does not wait. It may still come for one that had begun to be handed out
        before the listener unsubscribed.
        """

    def broke(self) -> None:
        """One of the two has raised, so that this listener has missed a publication: end the subscription."""


class Index(Protocol):
    """Who listens to what. `GlobIndex` is one."""

    def add(self, topic: str, item: Any) -> None: ...

    def remove(self, topic: str, item: Any) -> None: ...

    def matching(self, topic: str) -> Iterable[Any]: ...


class Hub(Generic[Publication]):
    """
    Topics are whatever the index takes for them: names of channels, or globs of event types. All methods run on the
    event loop and do not wait. Who subscribes may still hear some that were published just before.
    """

    def __init__(self, index: Index, dispatcher: Dispatcher, metrics: RealtimeMetrics) -> None:
        self._index = index
        self._dispatcher = dispatcher
        self._metrics = metrics

    def subscribe(self, topic: str, listener: Listener[Publication]) -> None:
        self._index.add(topic, listener)
        self._metrics.subscribed(1)

    def unsubscribe(self, topic: str, listener: Listener[Publication]) -> None:
        """Undoes one `subscribe`."""
        self._index.remove(topic, listener)
        self._metrics.subscribed(-1)

    @property
    def is_settled(self) -> bool:
        """Whether everything that was published has been handed out."""
        return self._dispatcher.is_settled

    def publish(self, topic: str, publication: Publication) -> None:
        """Hands it to everyone who listens by the time it is its turn, each of them once."""
        self._dispatcher.hand_out(_FanOut(self._index, topic, publication, self._metrics))


class _FanOut(Generic[Publication]):
    def __init__(self, index: Index, topic: str, publication: Publication, metrics: RealtimeMetrics) -> None:
        self._index = index
        self._topic = topic
        self._publication = publication
        self._metrics = metrics
        self._listeners: list[Listener[Publication]] | None = None  # those it has not been handed to yet
        self._encoded: dict[Callable[[Publication], bytes], bytes] = {}
        self.size = 0

    def hand_out(self, until: float) -> bool:
        listeners = self._listeners
        if listeners is None:
            listeners = self._listeners = list(self._index.matching(self._topic))
            self._metrics.published(len(listeners))
        while listeners:
            for listener in listeners[-_LISTENERS_AT_ONCE:]:
                self._tell(listener)
            del listeners[-_LISTENERS_AT_ONCE:]
            if listeners and time.perf_counter() >= until:
                return False
        return True

    def _tell(self, listener: Listener[Publication]) -> None:
        try:
            encoded = self._encoded.get(listener.encode)
            if encoded is None:
                encoded = self._encoded[listener.encode] = listener.encode(self._publication)
                self.size = max(self.size, len(encoded))
            listener.hear(self._publication, encoded)
        except Exception:
            # One that breaks must not keep it from the others, nor miss it without being told.
            log.exception("realtime.listener_broke", topic=self._topic)
            listener.broke()
