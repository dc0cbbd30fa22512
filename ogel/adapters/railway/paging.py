"""Relay's connections: lists that come in pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from ogel.adapters.railway.transport import changed

PAGE = 100
MOST_PAGES = 50

Node = TypeVar("Node")


class PageInfo(Struct, rename="camel"):
    has_next_page: bool
    end_cursor: str | None = None


class Edge(Struct, Generic[Node]):
    node: Node


class Connection(Struct, Generic[Node], rename="camel"):
    edges: list[Edge[Node]]
    page_info: PageInfo

    @property
    def nodes(self) -> list[Node]:
        return [edge.node for edge in self.edges]


async def whole(
    ask: Callable[[Mapping[str, str | None]], Awaitable[Mapping[str, Connection[Any]]]],
    *names: str,
    most: int | None = None,
) -> Mapping[str, Sequence[Any]]:
    """
    Asks for the next page of all of these lists at once until each has ended, or the first has `most`. A list that has
    ended is asked for what comes after its end, which is nothing. Raises RailwayError where one does not end.
    """
    after: dict[str, str | None] = dict.fromkeys(names)
    found: dict[str, list[Any]] = {name: [] for name in names}
    open_ones = set(names)
    for _ in range(MOST_PAGES):
        page = await ask(after)
        for name in sorted(open_ones):
            connection = page[name]
            found[name] += connection.nodes
            cursor = connection.page_info.end_cursor
            if not connection.page_info.has_next_page:
                open_ones.remove(name)
            elif cursor is None or cursor == after[name]:
                raise changed(
                    f"{name}.pageInfo.endCursor", "there are more pages, and no way to the next one"
                )
            after[name] = cursor or after[name]
        if not open_ones or (most is not None and len(found[names[0]]) >= most):
            return found
    raise changed(" and ".join(sorted(open_ones)), f"more than {MOST_PAGES} pages of {PAGE}")
