"""The HTTP application: declared routes and streams, with health and OpenAPI, inside the shell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib import import_module

from starlette.types import ASGIApp

from ogel.runtime.http.access import Access
from ogel.runtime.http.credentials import Authenticators, bearer_key
from ogel.runtime.http.endpoint import Endpoint, HttpOptions
from ogel.runtime.http.health import Probe, health_routes
from ogel.runtime.http.me import me_route
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.observe import Observed, Unobserved
from ogel.runtime.http.openapi import NO_EXAMPLES, AskExamples, Routes, Streams, openapi_route
from ogel.runtime.http.places import Place, Places
from ogel.runtime.http.problem import Problems
from ogel.runtime.http.route import Route, Stream
from ogel.runtime.http.streams import StreamEndpoint
from ogel.runtime.rates.limiter import Limiter

READERS = (bearer_key,)


def build_app(
    routes: Routes,
    streams: Streams,
    authenticators: Authenticators,
    metrics: HttpMetrics | None,
    probes: Sequence[Probe],
    options: HttpOptions,
    examples: AskExamples = lambda: NO_EXAMPLES,
    stopping: Callable[[], bool] = lambda: False,
    limiter: Limiter | None = None,
) -> ASGIApp:
    """
    `routes` and `streams` come with their feature's name, `examples` are for the OpenAPI document. Without `metrics`
    requests are not logged, either; without `limiter` there may be any number of them. ValueError: a route or stream
    declares no Access.
    """
    everything = with_shell(routes, streams, probes, examples, stopping)
    check_declared(everything, streams)
    paths: defaultdict[str, list[Route]] = defaultdict(list)
    for _, route in everything:
        paths[route.path].append(route)
    endpoints = [
        Place(path, Endpoint(here, READERS, authenticators, limiter, options)) for path, here in paths.items()
    ]
    places = Places([*endpoints, *(_streaming(stream, authenticators, limiter) for _, stream in streams)])
    app = Problems(places)
    if metrics is None:
        return Unobserved(app)
    return Observed(app, metrics, options.trusted_proxies)


def with_shell(
    routes: Routes,
    streams: Streams,
    probes: Sequence[Probe] = (),
    examples: AskExamples = lambda: NO_EXAMPLES,
    stopping: Callable[[], bool] = lambda: False,
) -> list[tuple[str, Route]]:
    """All that a process answers besides its streams: the shell has routes of its own."""
    everything = [*routes, *(("health", route) for route in health_routes(probes, stopping))]
    everything.append(("me", me_route()))
    return [*everything, ("openapi", openapi_route(everything, streams, examples))]


def check_declared(routes: Routes, streams: Streams) -> None:
    """Whatever was declared without types in mind is found at start-up, and not by who comes in."""
    ways: list[tuple[str, Route | Stream]] = [*routes, *streams]
    for feature, way in ways:
        if not isinstance(way.access, Access):
            raise ValueError(f"{way.path} of {feature} declares no Access, but {way.access!r}")


def _streaming(stream: Stream, authenticators: Authenticators, limiter: Limiter | None) -> Place:
    kind = "http"
    if stream.media_type is None:
        # Now, rather than when the first client asks and all others would wait; other processes never need it.
        import_module("ogel.runtime.http.websocket")
        kind = "websocket"
    return Place(stream.path, StreamEndpoint(stream, READERS, authenticators, limiter), kind, stream=True)
