"""/admin/users: users as operators and their programs see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ogel.features.accounts.administration.service import AdminService, Whole
from ogel.features.accounts.administration.store import Order, Search
from ogel.features.accounts.administration.wanted import Wanted, WantedNew
from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import Json, read
from ogel.features.accounts.gotrue.durations import seconds_of
from ogel.features.accounts.gotrue.pages import page_wanted
from ogel.features.accounts.gotrue.paths import id_in
from ogel.features.accounts.gotrue.shapes import user_shape
from ogel.features.accounts.users.user import User
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import Malformed
from ogel.runtime.http.access import Access
from ogel.runtime.http.input import Pairs
from ogel.runtime.http.pagination import decode_cursor, encode_cursor
from ogel.runtime.http.route import Call, Reply, Route

READ, WRITE = Access("key", "accounts:read", "read"), Access("key", "accounts:write", "write")
_MOST_AT_ONCE = 1000
_AUDIENCE = "authenticated"


class AdminBody(Struct, frozen=True):
    id: str | None = None
    email: str | None = None
    email_confirm: bool = False
    phone: str | None = None
    phone_confirm: bool = False
    password: str | None = None
    password_hash: str | None = None
    user_metadata: dict[str, Any] | None = None
    app_metadata: dict[str, Any] | None = None
    role: str | None = None
    ban_duration: str | None = None


class Deletion(Struct, frozen=True):
    should_soft_delete: bool = False


class AdminUserRoutes:
    def __init__(self, service: AdminService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        all, one = "/admin/users", "/admin/users/{user_id}"
        changed = ("user.update", "auth.session_ended")
        return [
            Route("GET", all, self._list, READ, "List users, newest first", query=Pairs, returns=Json),
            Route("POST", all, self._create, WRITE.audited("user.create"),
                  "Make a user; no mail is sent", body=Json, returns=Json),
            Route("GET", one, self._get, READ, "One user, with identities and factors", returns=Json),
            Route("PUT", one, self._update, WRITE.audited(*changed),
                  "Change a user: address, password, rights, metadata, a ban", body=Json, returns=Json),
            Route("DELETE", one, self._delete, WRITE.audited("user.delete"),
                  "Delete a user, or all that is known of one", body=Json, body_optional=True, returns=Json),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, Pairs]) -> Reply:
        given = dict(reversed(list(call.query)))
        search = Search(filter=given.get("filter") or None, order=_order(given.get("sort")))
        if "cursor" in given or "limit" in given:
            return await self._by_cursor(search, given)
        wanted = page_wanted("/admin/users", call.query)
        users = await self._service.page(
            msgspec.structs.replace(search, offset=wanted.offset, limit=wanted.per_page)
        )
        total = await self._service.count(search.filter)
        return Reply({"users": _shapes(users), "aud": _AUDIENCE}, headers=wanted.headers(total))

    async def _by_cursor(self, search: Search, given: Mapping[str, str]) -> Reply:
        """Pages that stay right while users come and go."""
        limit, cursor = _limit(given.get("limit")), given.get("cursor")
        after = _after(cursor) if cursor else None
        found = await self._service.page(msgspec.structs.replace(search, limit=limit + 1, after=after))
        users = found[:limit]
        pagination: Json = {"has_more": len(found) > limit}
        headers = {}
        if pagination["has_more"]:
            following = encode_cursor((users[-1].created_at, users[-1].id))
            pagination = {"next_cursor": following, **pagination}
            headers["Link"] = f'</admin/users?cursor={following}&limit={limit}>; rel="next"'
        return Reply({"users": _shapes(users), "aud": _AUDIENCE, "pagination": pagination}, headers=headers)

    async def _create(self, call: Call[Json, Any]) -> Json:
        body = read(AdminBody, call.body)
        wanted = WantedNew(id=_own_id(body.id) if body.id else None, **_said(body))
        whole = await self._service.create(call.caller, wanted)
        return user_shape(whole.user, whole.identities, whole.factors, just_made=True)

    async def _get(self, call: Call[Any, Any]) -> Json:
        return _shape(await self._service.get(id_in(call, "user_id")))

    async def _update(self, call: Call[Json, Any]) -> Json:
        id = id_in(call, "user_id")
        wanted = Wanted(**_said(read(AdminBody, call.body)))
        return _shape(await self._service.update(call.caller, id, wanted))

    async def _delete(self, call: Call[Json | None, Any]) -> Json:
        soft = read(Deletion, call.body).should_soft_delete
        await self._service.delete(call.caller, id_in(call, "user_id"), soft)
        return {}


def _shape(whole: Whole) -> Json:
    return user_shape(whole.user, whole.identities, whole.factors)


def _shapes(users: Sequence[User]) -> list[Json]:
    return [user_shape(user, None) for user in users]


def _said(body: AdminBody) -> dict[str, Any]:
    said = msgspec.structs.asdict(body)
    del said["id"], said["ban_duration"]
    return {**said, "banned_until": _banned_until(body.ban_duration)}


def _banned_until(duration: str | None) -> datetime | UnsetType | None:
    if not duration:
        return UNSET
    if duration == "none":
        return None
    try:
        return utc_now() + timedelta(seconds=seconds_of(duration))
    except ValueError as error:
        raise _invalid(f"invalid format for ban duration: {error}") from error


def _own_id(text: str) -> UUID:
    try:
        id = UUID(text)
    except ValueError as error:
        raise _invalid("ID must conform to the uuid v4 format") from error
    if not id.int:
        raise _invalid("ID cannot be a nil uuid")
    return id


def _order(sort: str | None) -> Order:
    field, _, direction = (sort or "created_at").partition(" ")
    if field != "created_at":
        raise _invalid(f"Bad Sort Parameters: bad field for sort '{field[:100]}'")
    if direction not in ("", "asc", "desc"):
        raise _invalid(
            f"Bad Sort Parameters: bad direction for sort '{direction[:100]}', only 'asc' and 'desc' allowed"
        )
    return "oldest" if direction == "asc" else "newest"


def _limit(text: str | None) -> int:
    if not text:
        return 50
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 9 and int(text)):
        raise _invalid("Bad Pagination Parameters: limit takes a number from 1 on")
    return min(int(text), _MOST_AT_ONCE)


def _after(cursor: str) -> tuple[datetime, UUID]:
    try:
        return decode_cursor(cursor, tuple[datetime, UUID])
    except Malformed as error:
        raise _invalid("Bad Pagination Parameters: this is no cursor of ours") from error


def _invalid(message: str) -> AccountError:
    return AccountError(400, "validation_failed", message)
