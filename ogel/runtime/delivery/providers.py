"""Providers: interchangeable outside services, tried in turn, each behind a breaker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge

from ogel.kernel.clock import utc_now
from ogel.runtime.delivery.breaker import Breaker

log = structlog.get_logger(__name__)

# Seconds that messages wait when no provider is configured for them; settings change only with a restart.
NOBODY_SECONDS = 30.0

Provider = TypeVar("Provider")
Result = TypeVar("Result")


class ProviderError(Exception):
    """
    A provider refused or failed. `message` is shown to users and holds no secret.

    final                it refused what it was given: neither another try nor another provider would help.
    ours                 it refused us (a wrong key, an account without credit): no use in asking it again soon, while
                         another provider may do.
    deferred             it is well and would not take this one now: another time, or another provider, may do better.
                         With `ours`, it refused us for the sake of this one: others may get through.
    retry_after_seconds  it asked to be left alone so long.
    """

    def __init__(
        self,
        message: str,
        *,
        final: bool = False,
        ours: bool = False,
        deferred: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.final = final
        self.ours = ours
        self.deferred = deferred
        self.retry_after_seconds = retry_after_seconds

    @property
    def is_refusal(self) -> bool:
        """Whether it refused this message, for good or for now; else it failed, or refused us."""
        return self.final or (self.deferred and not self.ours)


class Guarded(Struct, Generic[Provider], frozen=True):
    """A provider behind its breaker, with the name that settings, attempts and metrics use."""

    name: str
    provider: Provider
    breaker: Breaker


class Try(Struct, frozen=True):
    """One call of one provider, for the attempt log. `error` is None when it took the message."""

    provider: str
    started_at: str
    seconds: float
    error: str | None = None


class Exhausted(Exception):
    """
    No provider took it. `error` is the last one's; None when all breakers were open and none was asked. `after_seconds`
    is when one may be.
    """

    def __init__(
        self, tries: Sequence[Try], error: ProviderError | None, after_seconds: float | None
    ) -> None:
        super().__init__(
            error.message if error else "every provider has failed, and is left alone for a while"
        )
        self.tries = tries
        self.error = error
        self.after_seconds = after_seconds


class CallMetrics(Protocol):
    """Records every call: ProviderMetrics, or a wrapper of it."""

    def called(self, what: str, provider: str, error: ProviderError | None) -> None: ...

    def state(self, what: str, provider: str, breaker: Breaker) -> None: ...


class Providers(Generic[Provider]):
    """Providers in order of preference. `what` names them in metrics: `mail`, `sms`."""

    def __init__(self, what: str, guarded: Sequence[Guarded[Provider]], metrics: CallMetrics) -> None:
        self._what = what
        self._guarded = guarded
        self._metrics = metrics

    @property
    def names(self) -> Sequence[str]:
        return [each.name for each in self._guarded]

    async def first_to_take(
        self, send: Callable[[Provider], Awaitable[Result]], timeout_seconds: float
    ) -> tuple[Result, Sequence[Try]]:
        """
        Asks providers in turn, each for at most `timeout_seconds`, until one takes the message. A final refusal of the
        message ends the search. Raises Exhausted.
        """
        if not self._guarded:
            nobody = ProviderError(f"no provider of {self._what} is set up: see `ogel settings`", ours=True)
            raise Exhausted([], nobody, NOBODY_SECONDS)
        tries: list[Try] = []
        error: ProviderError | None = None
        for each in self._guarded:
            if not each.breaker.try_enter():
                continue
            began, started_at = time.monotonic(), utc_now().isoformat()
            try:
                async with asyncio.timeout(timeout_seconds):
                    result = await send(each.provider)
            except TimeoutError:
                error = ProviderError(f"{each.name} did not answer within {timeout_seconds:g} s")
            except ProviderError as refused:
                error = refused
            except BaseException:
                each.breaker.left()
                raise
            else:
                each.breaker.succeeded()
                self._note(each)
                tries.append(Try(each.name, started_at, time.monotonic() - began))
                return result, tries
            tries.append(Try(each.name, started_at, time.monotonic() - began, error.message))
            if error.final:
                each.breaker.succeeded()  # a refusal proves that the provider is up
                self._note(each, error)
                raise Exhausted(tries, error, None)
            if error.deferred:
                each.breaker.succeeded()
            else:
                each.breaker.failed(seconds=error.retry_after_seconds, at_once=error.ours)
            self._note(each, error)
        raise Exhausted(
            tries, error, min((each.breaker.seconds_left for each in self._guarded), default=None)
        )

    def _note(self, each: Guarded[Provider], error: ProviderError | None = None) -> None:
        self._metrics.called(self._what, each.name, error)
        self._metrics.state(self._what, each.name, each.breaker)
        if error is not None and not error.is_refusal:
            log.warning(
                "provider.failed",
                what=self._what,
                provider=each.name,
                error=error.message,
                open=each.breaker.is_open,
            )


class ProviderMetrics:
    """One per process, for all kinds of providers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "ogel_provider_calls_total",
            "Calls of outside providers: taken, refused (what was given, for now or for good) or failed.",
            ["what", "provider", "outcome"],
            registry=registry,
        )
        self._open = Gauge(
            "ogel_provider_breaker_open",
            "1 while a provider is left alone because it failed again and again.",
            ["what", "provider"],
            registry=registry,
        )

    def called(self, what: str, provider: str, error: ProviderError | None) -> None:
        outcome = "taken" if error is None else "refused" if error.is_refusal else "failed"
        self._calls.labels(what, provider, outcome).inc()

    def state(self, what: str, provider: str, breaker: Breaker) -> None:
        self._open.labels(what, provider).set(breaker.is_open)
