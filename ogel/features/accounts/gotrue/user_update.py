"""PUT /user: what people change of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.accounts.errors import AccountError
from ogel.features.accounts.gotrue.bodies import OPTIONAL_JSON, read
from ogel.features.accounts.gotrue.links import Challenged, Links, RedirectQuery
from ogel.features.accounts.gotrue.shapes import Json, user_shape
from ogel.features.accounts.self_service.changes import Changes, OwnChanges
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class UpdateBody(Challenged, frozen=True, kw_only=True):
    email: str = ""
    phone: str = ""
    password: str | None = None
    current_password: str | None = None
    nonce: str | None = None
    data: dict[str, Any] | None = None
    app_metadata: dict[str, Any] | None = None


class UserUpdateRoutes:
    def __init__(self, own: OwnChanges, links: Links) -> None:
        self._links = links
        self._own = own

    def routes(self) -> Sequence[Route]:
        access = Access("user", None, "write").audited("user.update")
        return [
            Route("PUT", "/user", self._put, access, "Change one's account", body=OPTIONAL_JSON,
                  query=RedirectQuery, returns=dict),
        ]  # fmt: skip

    async def _put(self, call: Call[Any, Any]) -> Json:
        body = read(UpdateBody, call.body)
        if body.app_metadata is not None:
            raise AccountError(403, "not_admin", "Updating app_metadata requires admin privileges")
        if body.phone:
            raise AccountError(422, "phone_provider_disabled", "Phone numbers are not supported")
        wanted = Changes(
            email=body.email or None,
            password=body.password,
            current_password=body.current_password,
            nonce=body.nonce,
            data=body.data,
        )
        account = await self._own.change(call.caller, wanted, self._links.options(call, body))
        return user_shape(account.user, account.identities, account.factors)
