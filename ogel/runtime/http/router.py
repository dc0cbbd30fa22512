"""Routes paths to applications with a tree of segments, so that a hundred routes cost a request no more than ten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from starlette.types import ASGIApp, Receive, Scope, Send

from ogel.kernel.errors import NotFound
from ogel.runtime.http.dialect import OWN, Dialect
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.http.path import segments_of


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

    def __init__(self, entries: Iterable[RouterEntry]) -> None:
        self._roots = {"http": _Node(), "websocket": _Node()}
        for entry in entries:
            self._add(entry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        values: list[str] = []
        node = _find(self._roots[scope["type"]], segments_of(scope["raw_path"]), 0, values)
        if node is None or node.entry is None:
            raise NotFound("There is nothing at this path.")
        scope["path_params"] = dict(zip(node.names, values, strict=True))
        exchange_of(scope).place = node.entry
        await node.entry.app(scope, receive, send)

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
