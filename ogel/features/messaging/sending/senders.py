"""
Chooses providers: SMS providers in turn, and for a push the service of its device; each has its own circuit breaker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from ogel.runtime.delivery.breaker import Breaker
from ogel.runtime.delivery.providers import CallMetrics, Guarded, Providers, Try
from ogel.runtime.messaging import MessageProvider, Push, Sms, Subscription, push_service

# Of one provider: FCM may have to ask for a token before, and a second time after.
CALL_SECONDS = 25.0
MOST_PUSH_SERVICES = 1_000

Taken = tuple[str | None, Sequence[Try]]


class MessageProviders(Struct, frozen=True):
    """The configured providers; `sms` by name, in order of preference."""

    sms: Sequence[tuple[str, MessageProvider[Sms]]] = ()
    fcm: MessageProvider[Push[str]] | None = None
    webpush: MessageProvider[Push[Subscription]] | None = None
    vapid_public_key: Callable[[], str] | None = None

    @property
    def device_kinds(self) -> Sequence[str]:
        return [name for name, each in (("fcm", self.fcm), ("webpush", self.webpush)) if each is not None]


class Senders:
    def __init__(self, providers: MessageProviders, metrics: CallMetrics) -> None:
        self._sms = _chain("sms", providers.sms, metrics)
        self._fcm = _chain("push", [("fcm", providers.fcm)], metrics)
        self._webpush = providers.webpush
        self._calls = _CallsOnly(metrics)
        self._services: dict[str, Providers[Any]] = {}

    async def send(self, message: Sms | Push[Any]) -> Taken:
        """Raises Exhausted."""
        return await self._chain_of(message).first_to_take(
            lambda provider: provider.send(message), CALL_SECONDS
        )

    def _chain_of(self, message: Sms | Push[Any]) -> Providers[Any]:
        if isinstance(message, Sms):
            return self._sms
        if isinstance(message.to, str):
            return self._fcm
        return self._service(push_service(message.to.endpoint))

    def _service(self, origin: str) -> Providers[Any]:
        """
        Each push service has its own breaker, because users choose the services and one that fails must not block the
        others. It opens late, because users also choose what the service is asked.
        """
        chain = self._services.pop(origin, None)
        if chain is None:
            chain = _chain("push", [("webpush", self._webpush)], self._calls, is_patient=True)
        self._services[origin] = chain  # moved to the end: it is the most recently used
        if len(self._services) > MOST_PUSH_SERVICES:
            del self._services[next(iter(self._services))]
        return chain


class _CallsOnly:
    """Counts calls only: one gauge for the breakers of all push services would show the one used last."""

    def __init__(self, metrics: CallMetrics) -> None:
        self.called = metrics.called

    def state(self, what: str, provider: str, breaker: Breaker) -> None:
        pass


def _chain(
    what: str,
    named: Sequence[tuple[str, MessageProvider[Any] | None]],
    metrics: CallMetrics,
    is_patient: bool = False,
) -> Providers[Any]:
    guarded = [
        Guarded(name, provider, Breaker(is_patient=is_patient))
        for name, provider in named
        if provider is not None
    ]
    return Providers(what, guarded, metrics)
