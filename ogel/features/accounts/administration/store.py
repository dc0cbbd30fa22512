"""Users as operators look for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.users.store import USER
from ogel.features.accounts.users.user import User
from ogel.runtime.database.database import Queries, Transaction

# Part of an address, a number or a name, in lower case.
_FITS = b"""(%(filter)s::text IS NULL OR strpos(concat_ws(' ', u.email, u.phone), %(filter)s) > 0 OR strpos(
    lower(concat_ws(' ', u.raw_user_meta_data ->> 'full_name', u.raw_user_meta_data ->> 'name')), %(filter)s
  ) > 0)"""
_SQL = Queries.beside(__name__, user=USER, fits=_FITS)

Order = Literal["newest", "oldest"]


class Search(Struct, frozen=True, kw_only=True):
    """
    filter  part of an address, a number or a name, in whatever case; None: all.
    after   created_at and id of the user before the first.
    """

    filter: str | None = None
    order: Order = "newest"
    offset: int = 0
    limit: int = 50
    after: tuple[datetime, UUID] | None = None


class SearchStore:
    async def page(self, tx: Transaction, search: Search) -> list[User]:
        time, id = search.after or (None, None)
        parameters = {
            "filter": _lower(search.filter),
            "offset": search.offset,
            "limit": search.limit,
            "after_time": time,
            "after_id": id,
        }
        query = _SQL.newest_users if search.order == "newest" else _SQL.oldest_users
        return await tx.all(query, parameters, User)

    async def count(self, tx: Transaction, filter: str | None) -> int:
        counted: int = await tx.value(_SQL.count_users, {"filter": _lower(filter)})
        return counted

    async def authors(self, tx: Transaction, part: str) -> list[UUID]:
        """Returns users whose address has that part."""
        return [id for (id,) in await tx.tuples(_SQL.authors, {"part": part})]

    async def addresses(self, tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, str]:
        """Those that are gone are left out."""
        return dict(await tx.tuples(_SQL.addresses, {"ids": list(ids)}))


def _lower(filter: str | None) -> str | None:
    return filter.lower() if filter else None
