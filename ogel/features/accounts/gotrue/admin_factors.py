"""/admin/users/{user_id}/factors: for whoever has lost the device that shows their codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from ogel.features.accounts.factors.service import FactorService
from ogel.features.accounts.gotrue.admin_users import READ, WRITE
from ogel.features.accounts.gotrue.bodies import Json, read
from ogel.features.accounts.gotrue.paths import id_in
from ogel.features.accounts.gotrue.shapes import factor_shape
from ogel.runtime.http.route import Call, Route


class Renaming(Struct, frozen=True):
    friendly_name: str | None = None


class AdminFactorRoutes:
    def __init__(self, service: FactorService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        all, one = "/admin/users/{user_id}/factors", "/admin/users/{user_id}/factors/{factor_id}"
        return [
            Route("GET", all, self._list, READ, "List the factors of a user", returns=list[Json]),
            Route("PUT", one, self._rename, WRITE.audited("factor.update"),
                  "Give a factor another name", body=Json, returns=Json),
            Route("DELETE", one, self._delete, WRITE.audited("factor.delete"),
                  "Remove a factor; sessions that it has raised are aal1 again", returns=Json),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, Any]) -> list[Json]:
        return [factor_shape(each) for each in await self._service.list(id_in(call, "user_id"))]

    async def _rename(self, call: Call[Json, Any]) -> Json:
        name = read(Renaming, call.body).friendly_name
        user_id, factor_id = id_in(call, "user_id"), id_in(call, "factor_id")
        return factor_shape(await self._service.rename(call.caller, user_id, factor_id, name))

    async def _delete(self, call: Call[Any, Any]) -> Json:
        user_id, factor_id = id_in(call, "user_id"), id_in(call, "factor_id")
        return factor_shape(await self._service.delete(call.caller, user_id, factor_id))
