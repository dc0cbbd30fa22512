"""/api/signing-keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from ogel.features.accounts.signing.key import SigningKey
from ogel.features.accounts.signing.service import SigningKeyService
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page
from ogel.runtime.http.route import Call, Route


class KeysRotation(Struct, frozen=True, forbid_unknown_fields=True):
    """`at_once` is for keys that somebody has got hold of: no token that is out is good any more."""

    at_once: bool = False


class SigningKeyRoutes:
    def __init__(self, service: SigningKeyService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read = Access("key", "accounts:read", "read")
        write = Access("key", "accounts:write", "write").audited("auth.add_key", "auth.replace_keys")
        return [
            Route("GET", "/api/signing-keys", self._list, read,
                  "Keys that access tokens are signed with, the newest first", returns=Page[SigningKey]),
            Route("POST", "/api/signing-keys/rotate", self._rotate, write,
                  "Have another key sign: in an hour, when everybody knows it, or at once",
                  body=KeysRotation, body_optional=True, returns=SigningKey),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, Any]) -> Page[SigningKey]:
        # Few: one in a quarter of a year, and each is forgotten a month after it was revoked.
        return Page(await self._service.all(), next=None)

    async def _rotate(self, call: Call[KeysRotation | None, Any]) -> SigningKey:
        if call.body is not None and call.body.at_once:
            return await self._service.replace(call.caller)
        return await self._service.rotate(call.caller)
