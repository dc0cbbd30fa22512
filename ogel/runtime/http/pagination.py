"""Paginated lists: `{items, next}`, where `next` is an opaque cursor."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from ogel.kernel.errors import FieldError, Malformed

Item = TypeVar("Item")
Position = TypeVar("Position")

Limit = Annotated[int, msgspec.Meta(ge=1, le=100, description="How many items at most.")]
After = Annotated[str, msgspec.Meta(max_length=512, description="The `next` of the page before.")]


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query parameters of every list; lists with filters derive from it."""

    limit: Limit = 25
    after: After | None = None


class Page(msgspec.Struct, Generic[Item], frozen=True):
    items: list[Item]
    next: str | None


def filters_of(query: PageQuery) -> dict[str, Any]:
    """
    Returns the arguments for a store: the filters, a limit of one row more than the page, and the cursor's id as
    `after`.
    """
    after = decode_cursor(query.after, str) if query.after else None
    return {**msgspec.structs.asdict(query), "limit": query.limit + 1, "after": after}


def page(rows: Sequence[Item], limit: int, position: Callable[[Item], object]) -> Page[Item]:
    """
    `rows` were asked for with a limit of `limit + 1`: the one too many tells that there is a next page.

    `position` gives what the next page's query continues after: an id, or a tuple such as (created_at, id).
    """
    items = list(rows[:limit])
    return Page(items, encode_cursor(position(items[-1])) if len(rows) > limit else None)


def encode_cursor(position: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).rstrip(b"=").decode("ascii")


def decode_cursor(cursor: str, kind: type[Position]) -> Position:
    """Decodes the position in a cursor; `kind` is its type (`str`, `tuple[datetime, str]`). Raises Malformed."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=kind)
    except (ValueError, RecursionError) as error:
        message = "is not a cursor that a list gave out"
        raise Malformed(f"query.after {message}.", errors=(FieldError("query.after", message),)) from error
