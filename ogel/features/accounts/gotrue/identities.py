"""DELETE /user/identities/{identity_id}; they are listed with the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.accounts.gotrue.paths import id_in
from ogel.features.accounts.gotrue.shapes import Json
from ogel.features.accounts.self_service.unlinking import Unlinking
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class IdentityRoutes:
    def __init__(self, unlinking: Unlinking) -> None:
        self._unlinking = unlinking

    def routes(self) -> Sequence[Route]:
        access = Access("user", None, "write", audit=("identity.delete",))
        path, summary = "/user/identities/{identity_id}", "Take an identity off the user who asks"
        return [Route("DELETE", path, self._unlink, access, summary, returns=Json)]

    async def _unlink(self, call: Call[Any, Any]) -> Json:
        await self._unlinking.unlink(call.caller, id_in(call, "identity_id"))
        return {}
