"""Requests in logs: those that somebody made for a purpose, and those that only looked whether a service is there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from ogel.features.consolidation.evidence import quoted
from ogel.features.consolidation.kinds import Kind
from ogel.features.consolidation.wire.asking import AGENT
from ogel.runtime.railway import HttpLogLine, LogLine

OWN_LOG = "own log"
_TOP_PATHS = 5
_MAX_LINE = 8_000
# Whole paths: a table may be called status, and a folder of pictures health.
_HEALTH = re.compile(
    r"/(?:health|healthz|healthcheck|health-check|livez?|liveness|readyz?|readiness|ping|status|metrics|version)/?"
    r"|/health/[\w-]{1,40}/?|/api/(?:v\d/)?(?:health|healthz|healthcheck|ping)/?|/config/version"
    r"|/(?:auth|storage|realtime)/v1/(?:health|healthcheck|status)/?"
    r"|(?:/realtime/v1)?/api/tenants/[\w.-]{1,80}/health|/minio/(?:health|v2/metrics)/[\w/-]{1,80}"
    r"|/robots\.txt|/favicon\.ico",
    re.IGNORECASE,
)
# How those begin who look for holes in anything that has a public name.
_SCANNED = re.compile(
    r"/(?:[\w-]+/)?\.(?:env|git|aws|svn|vscode)\b|/(?:wp-|wordpress/|xmlrpc\.php|phpmyadmin|cgi-bin/|actuator|owa/|"
    r"boaform|hnap1|solr/|vendor/phpunit|sdk$|manager/html|\.well-known/security|[\w-]+\.php$)",
    re.IGNORECASE,
)
# Where the root is a page that people read; elsewhere it tells only who answers.
_PAGES: frozenset[Kind] = frozenset({"studio", "other", "ogel", "nginx"})
# What is asked before anything is done, by us as well: it is no use by itself.
_PREAMBLE: Mapping[Kind, frozenset[str]] = {
    "gotrue": frozenset({"/settings"}),
    "kong": frozenset({"/services", "/routes", "/plugins"}),
    "realtime": frozenset({"/api/openapi"}),
    "studio": frozenset({"/api/platform/profile"}),
}
_ACCESS = re.compile(
    r'"?\b(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[^\s"]*)(?: HTTP/[0-9.]+)?"?(?:[^0-9]{1,12}([1-5][0-9]{2})\b)?'
)
_CONNECTED = re.compile(r"CONNECTED TO RealtimeWeb\.UserSocket|Connection accepted", re.IGNORECASE)

# These log each request or connection of their own accord: where their log has other lines only, there were none.
# Unless one of these variables says that they do not.
_LOGGING: Mapping[Kind, Sequence[str]] = {
    "kong": ("KONG_PROXY_ACCESS_LOG",),
    "gotrue": ("GOTRUE_LOG_LEVEL", "LOG_LEVEL"),
    "realtime": ("LOG_LEVEL",),
}
_SAYS_ALL = ("", "info", "debug", "trace", "/dev/stdout", "logs/access.log")
# Behind these prefixes of a gateway stands which service, in every suite that is made like Supabase.
BEHIND: Mapping[str, Kind] = {
    "/auth/v1": "gotrue",
    "/realtime/v1": "realtime",
    "/pg": "postgres_meta",
    "/storage/v1": "storage_api",
    "/rest/v1": "postgrest",
}


class Request(Struct, frozen=True):
    """`status` None: the log does not say."""

    at: datetime
    method: str
    path: str
    status: int | None


class Requests(Struct, frozen=True):
    """
    answered   for a purpose, with success or a redirect, or without a word on how it ended.
    refused    for a purpose, with another answer: scanners and wrong keys, mostly.
    probes     health checks, look-ups of who answers, scanners.
    connected  connections that a service tells of instead of requests.
    complete   there were no more lines than those that were read.
    tells      the log would have a line of each request: if not, its silence says nothing.
    """

    origin: str
    answered: int = 0
    refused: int = 0
    probes: int = 0
    connected: int = 0
    lines: int = 0
    first: datetime | None = None
    last: datetime | None = None
    paths: Sequence[tuple[str, int]] = ()
    complete: bool = True
    tells: bool = True

    @property
    def is_own(self) -> bool:
        """Of the service itself, and not of what stands before it."""
        return self.origin == OWN_LOG

    @property
    def used(self) -> int:
        return self.answered + self.connected


def of_edge(lines: Sequence[HttpLogLine], kind: Kind, healthcheck: str | None, *, complete: bool) -> Requests:
    """What came by public names."""
    found = [Request(each.at, each.method, each.path, each.status) for each in lines]
    return _counted("HTTP log", found, kind, healthcheck, lines=len(lines), complete=complete, tells=True)


def through_gateway(
    lines: Sequence[HttpLogLine], gateway: str, kind: Kind, *, complete: bool
) -> Requests | None:
    """What a gateway's public name was asked for that stands behind it. None: nothing, which proves nothing."""
    found = []
    for each in lines:
        for prefix, behind in BEHIND.items():
            if behind == kind and (each.path + "/").startswith(prefix + "/"):
                found.append(
                    Request(each.at, each.method, each.path.removeprefix(prefix) or "/", each.status)
                )
    counted = _counted(
        f"HTTP log of {quoted(gateway, 60)}",
        found,
        kind,
        None,
        lines=len(found),
        complete=complete,
        tells=False,
    )
    return counted if counted.answered or counted.refused else None


def logs_requests(kind: Kind, variables: Mapping[str, str]) -> bool:
    """Whether a service has a line for each request, as far as its variables tell; a reference tells nothing."""
    return kind in _LOGGING and all(variables.get(name, "").lower() in _SAYS_ALL for name in _LOGGING[kind])


def of_own_log(
    lines: Sequence[LogLine], kind: Kind, healthcheck: str | None, *, complete: bool, logs_all: bool
) -> Requests:
    """
    What the service itself tells, which includes what came by the private network. `logs_all`: see logs_requests.
    """
    found, connected, last = [], 0, None
    for line in lines:
        message = line.message[:_MAX_LINE]
        if AGENT in message:
            continue
        if _CONNECTED.search(message):
            connected += 1
            last = line.at if last is None else max(last, line.at)
        elif (request := _request(line.at, message)) is not None:
            found.append(request)
    counted = _counted(
        OWN_LOG,
        found,
        kind,
        healthcheck,
        lines=len(lines),
        complete=complete,
        # A log may have lines of those requests alone that went wrong.
        tells=bool(connected or (lines and logs_all) or any(_went_well(each) for each in found)),
    )
    newest = max((each for each in (counted.last, last) if each is not None), default=None)
    return msgspec.structs.replace(counted, connected=connected, last=newest)


def _counted(
    origin: str,
    requests: Iterable[Request],
    kind: Kind,
    healthcheck: str | None,
    *,
    lines: int,
    complete: bool,
    tells: bool,
) -> Requests:
    answered = refused = probes = 0
    paths: Counter[str] = Counter()
    first = last = None
    for each in requests:
        first = each.at if first is None else min(first, each.at)
        path = each.path.partition("?")[0]
        if is_probe(each.method, path, kind, healthcheck):
            probes += 1
        elif each.status is not None and each.status >= 400:
            refused += 1
        else:
            answered += 1
            paths[_shape(path)] += 1
            last = each.at if last is None else max(last, each.at)
    return Requests(
        origin,
        answered,
        refused,
        probes,
        lines=lines,
        first=first,
        last=last,
        paths=paths.most_common(_TOP_PATHS),
        complete=complete,
        tells=tells,
    )


def is_probe(method: str, path: str, kind: Kind, healthcheck: str | None) -> bool:
    """Whether somebody only looks that a service is there, or what it is."""
    if method == "HEAD" and path == "/":
        return True
    if path == "/":
        return kind not in _PAGES
    if healthcheck and path == healthcheck.partition("?")[0]:
        return True
    return bool(
        path in _PREAMBLE.get(kind, ()) or _HEALTH.fullmatch(path[:500]) or _SCANNED.match(path[:500])
    )


def _went_well(request: Request) -> bool:
    return request.status is not None and request.status < 400


def _shape(path: str) -> str:
    """The first two segments, without what may be an id or a token."""
    segments = path.split("/")[1:3]
    return quoted(
        "/" + "/".join("…" if len(each) > 24 or each[:1].isdigit() else each for each in segments), 60
    )


def _request(at: datetime, message: str) -> Request | None:
    if message.lstrip().startswith("{"):
        return _structured(at, message)
    found = _ACCESS.search(message)
    return None if found is None else Request(at, found[1], found[2], int(found[3]) if found[3] else None)


def _structured(at: datetime, message: str) -> Request | None:
    try:
        line = msgspec.json.decode(message)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(line, dict):
        return None
    places = [
        line,
        *(each for name in ("req", "request", "res", "response") if isinstance(each := line.get(name), dict)),
    ]
    method = _first(places, ("method",), str)
    path = _first(places, ("path", "url", "uri"), str)
    if not method or not path:
        # Some put an access line in it: {"msg": "GET /tables | 200 | …"}
        text = line.get("msg") or line.get("message")
        return _request(at, text[:_MAX_LINE]) if isinstance(text, str) and not text.startswith("{") else None
    status = _first(places, ("status", "statusCode", "status_code"), int)
    return Request(at, method.upper()[:10], _path_of(path), status)


def _first(places: Sequence[Mapping[str, Any]], names: Sequence[str], type: type[Any]) -> Any:
    return next(_values(places, names, type), None)


def _values(places: Sequence[Mapping[str, Any]], names: Sequence[str], type: type[Any]) -> Iterator[Any]:
    for place in places:
        for name in names:
            if isinstance(value := place.get(name), type) and not isinstance(value, bool):
                yield value


def _path_of(url: str) -> str:
    """`http://auth:9999/token?…` and `/token` alike."""
    _, scheme, rest = url.partition("://")
    return "/" + rest.partition("/")[2] if scheme else "/" + url.lstrip("/")
