"""The table of who may do what: every route and stream, as it was declared."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ogel.runtime.http.access import Who
from ogel.runtime.http.openapi import Routes, Streams
from ogel.runtime.http.route import Route, Stream
from ogel.runtime.rates.classes import RateClass


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """
    max_body_bytes  null: no body is read, or, with `body`, the process's own limit holds.
    audit           what the audit log has of it, one of these each time.
    """

    feature: str
    method: str
    path: str
    who: Who
    scope: str | None
    rate: RateClass
    body: bool
    max_body_bytes: int | None
    audit: list[str]


def policies(routes: Routes, streams: Streams) -> list[Policy]:
    """By path, and routes of one path as they were declared."""
    return sorted(_all(routes, streams), key=lambda policy: policy.path)


def _all(routes: Routes, streams: Streams) -> Iterator[Policy]:
    for feature, route in routes:
        yield _policy(feature, route.method, route, route.body is not None)
    for feature, stream in streams:
        yield _policy(feature, "WEBSOCKET" if stream.media_type is None else "GET", stream, False)


def _policy(feature: str, method: str, way: Route | Stream, body: bool) -> Policy:
    access = way.access
    return Policy(
        feature=feature,
        method=method,
        path=way.path,
        who=access.who,
        scope=access.scope,
        rate=access.rate,
        body=body,
        max_body_bytes=access.max_body_bytes if body else None,
        audit=list(access.audit),
    )
