"""Routes paths to applications with a tree of segments, so that a hundred routes cost a request no more than ten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send

from ogel.kernel.errors import NotFound
from ogel.runtime.http.dialect import OWN, Dialect
from ogel.runtime.http.exchange import exchange_of, header
from ogel.runtime.http.path import segments_of

NO_HOSTS: Mapping[str, str] = {}


class RouterEntry(Struct, frozen=True):
    """
    `path` is a template, whose parameters are whole segments: `/api/webhooks/{id}`. The last may be `{name:path}`: all
    that follows, slashes and empty segments too, and at least one character. `kind` as in an ASGI scope.
    """

    path: str
    app: ASGIApp
    kind: str = "http"
    stream: bool = False
    dialect: Dialect = OWN


class _Node(Struct):
    literals: dict[str, _Node] = {}
    parameter: _Node | None = None
    rest: _Node | None = None
    entry: RouterEntry | None = None
    names: Sequence[str] = ()
    is_rest: bool = False


class Router:
    """Prefers literal segments to parameters, and those to `{name:path}`: `/api/jobs/purge` is not the id of a job."""

    def __init__(self, entries: Iterable[RouterEntry], hosts: Mapping[str, str] = NO_HOSTS) -> None:
        """`hosts` are names of this server's, each with the prefix of what stands at its root: see Dialect."""
        self._roots = {"http": _Node(), "websocket": _Node()}
        self._hosts = hosts
        for entry in entries:
            self._add(entry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        values: list[str] = []
        prefix = self._prefix(scope) if self._hosts else None
        if prefix is not None:
            scope["path"] = (
                prefix + scope["path"]
            )  # what was signed of a request is its raw path, which stays
        segments = segments_of(scope["raw_path"])
        if prefix is not None:
            segments = [*prefix.split("/"), *segments[1:]]
        node = _find(self._roots[scope["type"]], segments, 0, values)
        if node is None or node.entry is None:
            raise NotFound("There is nothing at this path.")
        scope["path_params"] = dict(zip(node.names, values, strict=True))
        exchange_of(scope).place = node.entry
        await node.entry.app(scope, receive, send)

    def _prefix(self, scope: Scope) -> str | None:
        """Of the host that was asked; None: it is none with a prefix."""
        asked = (header(scope, b"host") or "").lower()
        name = asked if asked.endswith("]") else asked.rpartition(":")[0] or asked
        if (prefix := self._hosts.get(name)) is not None:
            return prefix
        below, _, host = name.partition(".")
        while host:
            if (prefix := self._hosts.get(host)) is not None:
                return f"{prefix}/{below}"
            more, _, host = host.partition(".")
            below = f"{below}.{more}"
        return None

    def _add(self, entry: RouterEntry) -> None:
        node, names = self._roots[entry.kind], []
        for segment in entry.path.split("/"):
            if node.is_rest:
                raise ValueError(f"{entry.path} goes on behind what takes all the rest")
            if segment.startswith("{") and segment.endswith(":path}"):
                names.append(segment[1:-6])
                node.rest = node = node.rest or _Node(is_rest=True)
            elif segment.startswith("{") and segment.endswith("}"):
                names.append(segment[1:-1])
                node.parameter = node = node.parameter or _Node()
            elif "{" in segment:
                raise ValueError(f"{entry.path} has a parameter that is no whole segment")
            else:
                node = node.literals.setdefault(segment, _Node())
        if node.entry is not None:
            raise ValueError(f"{entry.path} is there twice")
        node.entry, node.names = entry, names


def parameters(scope: Scope) -> Mapping[str, str]:
    """Returns the decoded path parameters."""
    found: Mapping[str, str] = scope["path_params"]
    return found


def _find(node: _Node, segments: Sequence[str], depth: int, values: list[str]) -> _Node | None:
    """Returns the node for the segments from `depth` on. Parameters on the way are appended to `values`."""
    if depth == len(segments):
        return node if node.entry is not None else None
    segment = segments[depth]
    if (literal := node.literals.get(segment)) and (found := _find(literal, segments, depth + 1, values)):
        return found
    if node.parameter is not None and segment:
        values.append(segment)
        if found := _find(node.parameter, segments, depth + 1, values):
            return found
        values.pop()
    if node.rest is not None and (rest := "/".join(segments[depth:])):
        values.append(rest)
        return node.rest
    return None
