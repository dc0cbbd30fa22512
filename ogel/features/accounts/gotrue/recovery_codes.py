"""/factors/recovery-codes: for the user who asks, should the authenticator app be lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from ogel.features.accounts.factors.recovery import NewCodes, RecoveryService
from ogel.features.accounts.factors.store import RECOVERY_CODE
from ogel.features.accounts.gotrue.bodies import Json, read
from ogel.features.accounts.gotrue.shapes import session_shape
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route

Shape = dict[str, Any]


class NewName(Struct, frozen=True):
    friendly_name: str | None = None


class Code(Struct, frozen=True):
    code: str = ""


class RecoveryCodeRoutes:
    """GoTrue has these since v2.197; auth-js calls them `mfa.recoveryCodes`."""

    def __init__(self, service: RecoveryService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read_access, write = Access("user", None, "read"), Access("user", None, "write")
        tries = Access("user", None, "sign_in")
        all = "/factors/recovery-codes"
        return [
            Route("GET", all, self._left, read_access, "How many codes there are, and how many are left",
                  returns=Shape),
            Route("POST", all, self._generate, write.audited("recovery_codes.generate"),
                  "Make ten codes; the answer alone shows them", body=Json, body_optional=True, returns=Shape),
            Route("POST", all + "/regenerate", self._regenerate, write.audited("recovery_codes.regenerate"),
                  "Make ten codes in their place", body=Json, body_optional=True, returns=Shape),
            Route("POST", all + "/verify", self._verify, tries.audited("recovery_codes.use", "factor.refuse"),
                  "Raise the session to aal2 by a code, which is used up", body=Json, returns=Shape),
            Route("DELETE", all, self._delete, write.audited("factor.delete"), "Remove the codes", returns=Shape),
        ]  # fmt: skip

    async def _left(self, call: Call[Any, Any]) -> Shape:
        left = await self._service.left(UUID(call.principal.id))
        return {
            "id": left.factor_id,
            "type": RECOVERY_CODE,
            "total": left.total,
            "remaining": left.remaining,
        }

    async def _generate(self, call: Call[Json | None, Any]) -> Shape:
        return _shape(await self._service.generate(call.caller, read(NewName, call.body).friendly_name))

    async def _regenerate(self, call: Call[Any, Any]) -> Shape:
        return _shape(await self._service.regenerate(call.caller))

    async def _verify(self, call: Call[Json, Any]) -> Shape:
        return session_shape(await self._service.verify(call.caller, read(Code, call.body).code))

    async def _delete(self, call: Call[Any, Any]) -> Shape:
        return {"id": await self._service.delete(call.caller)}


def _shape(new: NewCodes) -> Shape:
    return {
        "id": new.factor.id,
        "type": RECOVERY_CODE,
        "friendly_name": new.factor.friendly_name,
        "total": len(new.codes),
        "codes": new.codes,
    }
