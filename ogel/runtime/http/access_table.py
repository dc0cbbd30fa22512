"""The access table: every route and stream with the Access that it declared."""

from __future__ import annotations

import msgspec

from ogel.runtime.http.access import Who
from ogel.runtime.http.dialect import OWN, Dialect, Dialects
from ogel.runtime.http.openapi import Routes, Streams
from ogel.runtime.http.route import Mount, Route, Stream
from ogel.runtime.rates.policy import RateClass


class AccessRow(msgspec.Struct, frozen=True, kw_only=True):
    """
    role            what people must have; null: nothing besides.
    max_body_bytes  null: no body is read, or, with `body`, the process's own limit holds.
    audit           what the audit log has of it, one of these each time.
    """

    feature: str
    dialect: str
    method: str
    path: str
    who: Who
    scope: str | None
    role: str | None
    rate: RateClass
    body: bool
    max_body_bytes: int | None
    audit: list[str]


def access_table(routes: Routes, streams: Streams, dialects: Dialects = ()) -> list[AccessRow]:
    """Returns the rows sorted by path; routes of one path keep the order of their declaration."""
    rows = [_row(feature, OWN, route) for feature, route in routes]
    rows += [_row(feature, OWN, stream) for feature, stream in streams]
    for feature, dialect in dialects:
        rows += [_row(feature, dialect, route) for route in dialect.routes]
        rows += [_row(feature, dialect, stream) for stream in dialect.streams]
        if dialect.mount is not None:
            rows.append(_row(feature, dialect, dialect.mount))
    return sorted(rows, key=lambda row: row.path)


def _row(feature: str, dialect: Dialect, way: Route | Stream | Mount) -> AccessRow:
    access = way.access
    if isinstance(way, Mount):
        method, path, body = "ANY", "/{path:path}", True
    elif isinstance(way, Route):
        method, path, body = way.method, way.path, way.body is not None
    else:
        method, path, body = "WEBSOCKET" if way.media_type is None else "GET", way.path, False
    return AccessRow(
        feature=feature,
        dialect=dialect.name,
        method=method,
        path=dialect.prefix + path,
        who=access.who,
        scope=access.scope,
        role=access.role,
        rate=access.rate,
        body=body,
        max_body_bytes=access.max_body_bytes if body else None,
        audit=list(access.audit),
    )
