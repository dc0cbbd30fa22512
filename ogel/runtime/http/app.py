"""The HTTP application: declared routes and streams, with health and OpenAPI, inside the shell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib import import_module

from starlette.routing import BaseRoute, Router, WebSocketRoute
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from ogel.kernel.errors import NotFound
from ogel.runtime.http.auth import Authenticate
from ogel.runtime.http.endpoint import Endpoint, HttpOptions
from ogel.runtime.http.health import Probe, health_routes
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.observe import Observed
from ogel.runtime.http.openapi import NO_EXAMPLES, AskExamples, Streams, openapi_route
from ogel.runtime.http.path import Paths
from ogel.runtime.http.problem import Problems
from ogel.runtime.http.route import Route, Stream


def build_app(
    routes: Sequence[tuple[str, Route]],
    streams: Streams,
    authenticate: Authenticate,
    metrics: HttpMetrics,
    probes: Sequence[Probe],
    options: HttpOptions,
    examples: AskExamples = lambda: NO_EXAMPLES,
    stopping: Callable[[], bool] = lambda: False,
) -> ASGIApp:
    """`routes` and `streams` come with their feature's name, `examples` are for the OpenAPI document."""
    everything = [*routes, *(("health", route) for route in health_routes(probes, stopping))]
    everything.append(("openapi", openapi_route(everything, streams, examples)))
    paths: defaultdict[str, list[Route]] = defaultdict(list)
    for _, route in everything:
        paths[route.path].append(route)
    endpoints = [
        StarletteRoute(path, Endpoint(paths[path], authenticate, options))
        for path in sorted(paths, key=_order)
    ]
    doors = [_streaming(stream) for _, stream in streams]
    router = Router([*endpoints, *doors], redirect_slashes=False, default=_nothing_here)
    return Observed(Problems(Paths(router)), metrics, options.trusted_proxies)


def _streaming(stream: Stream) -> BaseRoute:
    if stream.media_type is not None:
        return StarletteRoute(stream.path, stream.app)
    # Now, rather than when the first client asks and all others would wait; other processes never need it.
    import_module("ogel.runtime.http.websocket")
    return WebSocketRoute(stream.path, stream.app)


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotFound("There is nothing at this path.")


def _order(path: str) -> list[tuple[bool, str]]:
    """Literal segments before parameters, so that `/api/jobs/purge` is not taken for the id of a job."""
    return [(segment.startswith("{"), segment) for segment in path.split("/")]
