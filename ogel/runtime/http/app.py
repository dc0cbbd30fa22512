"""The HTTP application: declared routes and streams, with health and OpenAPI, inside the shell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib import import_module

from starlette.routing import Route as StarletteRoute
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from ogel.runtime.http.auth import Authenticate
from ogel.runtime.http.endpoint import Endpoint, HttpOptions
from ogel.runtime.http.health import Probe, health_routes
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.observe import Observed, Unobserved
from ogel.runtime.http.openapi import NO_EXAMPLES, AskExamples, Streams, openapi_route
from ogel.runtime.http.places import Place, Places
from ogel.runtime.http.problem import Problems
from ogel.runtime.http.route import Route, Stream


def build_app(
    routes: Sequence[tuple[str, Route]],
    streams: Streams,
    authenticate: Authenticate,
    metrics: HttpMetrics | None,
    probes: Sequence[Probe],
    options: HttpOptions,
    examples: AskExamples = lambda: NO_EXAMPLES,
    stopping: Callable[[], bool] = lambda: False,
) -> ASGIApp:
    """
    `routes` and `streams` come with their feature's name, `examples` are for the OpenAPI document. Without `metrics`
    requests are not logged, either.
    """
    everything = [*routes, *(("health", route) for route in health_routes(probes, stopping))]
    everything.append(("openapi", openapi_route(everything, streams, examples)))
    paths: defaultdict[str, list[Route]] = defaultdict(list)
    for _, route in everything:
        paths[route.path].append(route)
    endpoints = [Place(path, Endpoint(here, authenticate, options)) for path, here in paths.items()]
    places = Places([*endpoints, *(_streaming(stream) for _, stream in streams)])
    app = Problems(places)
    if metrics is None:
        return Unobserved(app)
    return Observed(app, metrics, options.trusted_proxies)


def _streaming(stream: Stream) -> Place:
    if stream.media_type is None:
        # Now, rather than when the first client asks and all others would wait; other processes never need it.
        import_module("ogel.runtime.http.websocket")
        return Place(stream.path, WebSocketRoute(stream.path, stream.app).app, "websocket", stream=True)
    route = StarletteRoute(stream.path, stream.app)

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        # With an "app" in the scope, starlette raises its 405s instead of writing them as plain text.
        scope["app"] = route
        await route.handle(scope, receive, send)

    return Place(stream.path, handle, stream=True)
