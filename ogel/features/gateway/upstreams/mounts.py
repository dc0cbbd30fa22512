"""Upstreams as dialects of the API: each its own, all of which is handed on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

from starlette.types import Receive, Scope, Send

from ogel.features.gateway.upstreams.asking import Asking
from ogel.features.gateway.upstreams.metrics import UpstreamMetrics
from ogel.features.gateway.upstreams.requests import RequestProxy
from ogel.features.gateway.upstreams.sockets import SocketProxy
from ogel.features.gateway.upstreams.upstream import Upstream
from ogel.kernel.errors import ConfigError, OgelError
from ogel.runtime.core import Core
from ogel.runtime.feature import Feature
from ogel.runtime.http.access import Access, Who
from ogel.runtime.http.cors import Cors
from ogel.runtime.http.credentials import apikey_header
from ogel.runtime.http.dialect import Dialect
from ogel.runtime.http.health import Probe
from ogel.runtime.http.route import Mount
from ogel.runtime.outgoing import Upstreams
from ogel.runtime.rates.policy import RateClass

# Whoever has any key, a publishable one too, or has signed in.
_KNOWN: Mapping[str, Who] = {"open": "open", "user": "user", "key": "known"}
# What only operators have.
_EVERYTHING = "*"
# A path of ours that an upstream would seem to have, although the router would never give it one.
OWN = ("/api", "/health", "/metrics", "/openapi.json")
PROBE_SECONDS = 2.0

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


class Terminated(OgelError):
    """Answers a path with the status that operators chose for it."""

    title = "Not served"

    def __init__(self, status: int) -> None:
        super().__init__("This path is not served.")
        self.status = status


class UpstreamsFeature:
    """Built only where the setting has some."""

    def __init__(self, core: Core, upstreams: Sequence[Upstream], client: Upstreams) -> None:
        self._core = core
        self._client = client
        self._asking = [Asking(each) for each in upstreams]
        self._our_keys = frozenset({core.admin_key.encode()})

    def dialects(self) -> list[Dialect]:
        """Raises ConfigError where one would have a path of Ogel's own."""
        self._check(self._core.features.all(but="gateway"))
        away = {each.upstream.path: _is_away(each) for each in self._asking}
        metrics = UpstreamMetrics(self._core.registry, away)
        for each in self._asking:
            each.metrics = metrics
        return [self._dialect(each) for each in self._asking]

    def probes(self) -> list[Probe]:
        return [
            Probe(
                f"upstream {each.upstream.path}",
                self._reaches(each),
                required=False,
                timeout_seconds=PROBE_SECONDS,
            )
            for each in self._asking
            if each.upstream.url is not None
        ]

    def _check(self, features: Sequence[Feature]) -> None:
        dialects = [dialect.prefix for feature in features for dialect in feature.dialects()]
        for path in (each.upstream.path for each in self._asking):
            for own in (*OWN, *dialects):
                if path == own or path.startswith(f"{own}/"):
                    raise ConfigError(f"OGEL_UPSTREAMS has {path}, but Ogel answers {own} itself")

    def _dialect(self, asking: Asking) -> Dialect:
        upstream = asking.upstream
        access = access_of(upstream)
        if upstream.rate is not None:
            self._core.limiter.count_as(access.rate, upstream.rate)
        handler = _terminated(upstream.status) if upstream.url is None else self._proxy(asking, access)
        return Dialect(
            "upstream",
            upstream.prefix,
            # An open upstream may call something else so.
            companions=() if upstream.auth == "open" else (apikey_header,),
            cors=Cors() if upstream.cors else None,
            mount=Mount(handler, access, upstream.networks),
        )

    def _proxy(self, asking: Asking, access: Access) -> Handler:
        requests = RequestProxy(asking, self._client, self._our_keys, self._core.watch, access)
        sockets = SocketProxy(asking, self._client, self._our_keys, self._core.watch, access)

        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            await (sockets if scope["type"] == "websocket" else requests)(scope, receive, send)

        return handle

    def _reaches(self, asking: Asking) -> Callable[[], Awaitable[bool]]:
        async def reaches() -> bool:
            await self._client.reach(asking.upstream.url or "", PROBE_SECONDS)
            return True

        return reaches


def access_of(upstream: Upstream) -> Access:
    """Returns what the policy table says. An upstream with quotas of its own has a rate class of its own, too."""
    rate = cast(RateClass, "read" if upstream.rate is None else f"upstream{upstream.path}")
    who = _KNOWN.get(upstream.auth)
    if who is not None:
        return Access(who, None, rate, upstream.max_body)
    if upstream.role is not None:
        return Access("known", _EVERYTHING, rate, upstream.max_body, role=upstream.role)
    scope = _EVERYTHING if upstream.auth == "admin" else upstream.auth
    return Access("key", scope, rate, upstream.max_body)


def _is_away(asking: Asking) -> Callable[[], bool]:
    return lambda: asking.is_away


def _terminated(status: int) -> Handler:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        raise Terminated(status)

    return refuse
