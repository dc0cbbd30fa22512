"""The HTTP application: declared routes and streams, with health and OpenAPI, inside the shell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module

from msgspec.structs import replace
from starlette.types import ASGIApp

from ogel.runtime.http.access import Access
from ogel.runtime.http.admission import Admissions
from ogel.runtime.http.cors import Cors
from ogel.runtime.http.credentials import Authenticators
from ogel.runtime.http.dialect import OWN, Dialect, Dialects
from ogel.runtime.http.endpoint import Endpoint
from ogel.runtime.http.errors import Errors
from ogel.runtime.http.gate import Gate
from ogel.runtime.http.health import Probe, health_routes
from ogel.runtime.http.intake import HttpOptions
from ogel.runtime.http.me import me_route
from ogel.runtime.http.metrics import HttpMetrics
from ogel.runtime.http.observe import Observed, Unobserved
from ogel.runtime.http.openapi import NO_EXAMPLES, AskExamples, Routes, Streams, openapi_route
from ogel.runtime.http.route import Route, Stream
from ogel.runtime.http.router import Router, RouterEntry
from ogel.runtime.http.streams import StreamEndpoint
from ogel.runtime.rates.limiter import Limiter

# Of Ogel's own API, what pages may read besides bodies.
_EXPOSED = ("ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id")


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
    dialects: Dialects = (),
    gate: Gate | None = None,
) -> ASGIApp:
    """
    Builds the application. `routes`, `streams` and `dialects` come with the names of their features; `examples` are for
    the OpenAPI document, which describes Ogel's own routes only. Without `metrics` requests are not logged either;
    without `limiter` they are not limited. Raises ValueError when a route or stream declares no Access.
    """
    everything = with_shell(routes, streams, probes, examples, stopping)
    own = replace(OWN, routes=[route for _, route in everything], streams=[stream for _, stream in streams])
    spoken = [_open_to(options.origins, dialect) for dialect in (own, *(dialect for _, dialect in dialects))]
    admissions = Admissions(authenticators, limiter, gate)
    entries = [entry for dialect in spoken for entry in _entries(dialect, admissions, options)]
    entries += [entry for dialect in spoken for entry in _mounted(dialect, spoken, admissions)]
    hosts = {dialect.host: dialect.prefix for dialect in spoken if dialect.host}
    app = Errors(Router(entries, hosts), spoken)
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
    """Adds the shell's own routes to those of the features: health, `/api/me` and OpenAPI."""
    everything = [*routes, *(("health", route) for route in health_routes(probes, stopping))]
    everything.append(("me", me_route()))
    # Lazy, because the document describes this route, too.
    everything.append(("openapi", openapi_route(everything, streams, examples)))
    return everything


def _open_to(origins: Sequence[str], dialect: Dialect) -> Dialect:
    """Opens a dialect to pages of these origins, if there are any, and it is not closed to all but its own."""
    if not origins:
        return dialect
    if dialect.cors is not None:
        credentials = dialect.cors.credentials and "*" not in origins
        return replace(dialect, cors=replace(dialect.cors, origins=origins, credentials=credentials))
    return replace(dialect, cors=Cors(origins, exposed=_EXPOSED)) if dialect.name == OWN.name else dialect


def _entries(dialect: Dialect, admissions: Admissions, options: HttpOptions) -> Iterator[RouterEntry]:
    check_declared(dialect)
    paths: defaultdict[str, list[Route]] = defaultdict(list)
    for route in dialect.routes:
        paths[dialect.prefix + route.path].append(route)
    for path, routes in paths.items():
        yield RouterEntry(path, Endpoint(routes, dialect, admissions, options), dialect=dialect)
    for stream in dialect.streams:
        kind = "http" if stream.media_type is not None else "websocket"
        endpoint = StreamEndpoint(stream, dialect, admissions)
        yield RouterEntry(dialect.prefix + stream.path, endpoint, kind, stream=True, dialect=dialect)


def _mounted(dialect: Dialect, spoken: Sequence[Dialect], admissions: Admissions) -> Iterator[RouterEntry]:
    if dialect.mount is None:
        return
    # Now: otherwise the first client would make all others wait. Streams that hand connections over never need it.
    import_module("ogel.runtime.http.websocket")
    from ogel.runtime.http.mount import MountEndpoint

    inner = [each for each in spoken if each is not dialect and each.prefix and dialect.holds(each.prefix)]
    endpoint = MountEndpoint(dialect.mount, dialect, admissions, inner)
    paths = [
        f"{dialect.prefix}/",
        f"{dialect.prefix}/{{path:path}}",
        *([dialect.prefix] if dialect.prefix else []),
    ]
    for kind in ("http", "websocket"):
        for path in paths:
            yield RouterEntry(path, endpoint, kind, dialect=dialect)


def check_declared(dialect: Dialect) -> None:
    """
    Checks declarations that bypassed the type checker at start-up, before a request meets them. Raises ValueError.
    """
    ways: list[Route | Stream] = [*dialect.routes, *dialect.streams]
    for way in ways:
        if not isinstance(way.access, Access):
            raise ValueError(f"{dialect.prefix}{way.path} declares no Access, but {way.access!r}")
