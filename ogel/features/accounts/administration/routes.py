"""/api/users: users, and the factors of those who have lost theirs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from ogel.features.accounts.administration.forms import (
    UserChange,
    UserDetail,
    UserForm,
    UserInfo,
    UsersQuery,
    detail,
    info,
)
from ogel.features.accounts.administration.service import AdminService
from ogel.features.accounts.administration.store import Search
from ogel.features.accounts.administration.wanted import Wanted, WantedNew
from ogel.features.accounts.factors.service import FactorService
from ogel.features.accounts.users.user import Factor
from ogel.kernel.errors import NotFound
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, decode_cursor, page
from ogel.runtime.http.route import Call, Route


class Deletion(Struct, frozen=True, forbid_unknown_fields=True):
    """`soft` keeps the row for what points to it, and nothing in it that says who it was."""

    soft: bool = False


class UsersRoutes:
    def __init__(self, service: AdminService, factors: FactorService) -> None:
        self._service = service
        self._factors = factors

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "accounts:read", "read"), Access("key", "accounts:write", "write")
        all, one = "/api/users", "/api/users/{id}"
        changes = ("user.update", "auth.session_ended")
        return [
            Route("GET", all, self._list, read, "List users, newest first",
                  query=UsersQuery, returns=Page[UserInfo]),
            Route("POST", all, self._create, write.audited("user.create"),
                  "Make a user; no mail is sent", body=UserForm, returns=UserDetail, status=201),
            Route("GET", one, self._get, read, "One user, with identities and factors", returns=UserDetail),
            Route("PATCH", one, self._update, write.audited(*changes),
                  "Change a user: address, password, rights, metadata, a ban", body=UserChange,
                  returns=UserDetail),
            Route("DELETE", one, self._delete, write.audited("user.delete"),
                  "Delete a user with sessions and factors, or all that is known of one", body=Deletion,
                  body_optional=True, status=204),
            Route("DELETE", one + "/factors/{factor_id}", self._remove_factor, write.audited("factor.delete"),
                  "Remove a second factor of somebody who has lost it", returns=Factor),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, UsersQuery]) -> Page[UserInfo]:
        query = call.query
        if query.email is not None:
            found = await self._service.by_email(query.email)
            return Page([] if found is None else [info(found)], next=None)
        after = decode_cursor(query.after, tuple[datetime, UUID]) if query.after else None
        users = await self._service.page(Search(filter=query.filter, limit=query.limit + 1, after=after))
        return page([info(user) for user in users], query.limit, lambda each: (each.created_at, each.id))

    async def _create(self, call: Call[UserForm, Any]) -> UserDetail:
        return detail(await self._service.create(call.caller, WantedNew(**_said(call.body))))

    async def _get(self, call: Call[Any, Any]) -> UserDetail:
        return detail(await self._service.get(_id(call)))

    async def _update(self, call: Call[UserChange, Any]) -> UserDetail:
        return detail(await self._service.update(call.caller, _id(call), Wanted(**_said(call.body))))

    async def _delete(self, call: Call[Deletion | None, Any]) -> None:
        soft = call.body is not None and call.body.soft
        await self._service.delete(call.caller, _id(call), soft)

    async def _remove_factor(self, call: Call[Any, Any]) -> Factor:
        return await self._factors.delete(call.caller, _id(call), _id(call, "factor_id", "factor"))


def _said(body: UserChange) -> dict[str, Any]:
    said = structs.asdict(body)
    confirmed = {"email_confirm": said.pop("email_confirmed"), "phone_confirm": said.pop("phone_confirmed")}
    return {**said, **confirmed}


def _id(call: Call[Any, Any], name: str = "id", what: str = "user") -> UUID:
    try:
        return UUID(call.path[name])
    except ValueError as error:
        raise NotFound(f"There is no {what} {call.path[name]!r}.") from error
