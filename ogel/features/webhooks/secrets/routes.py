"""/api/webhooks/{id}/secrets and …/rotate-secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.webhooks.secrets.service import Rotated, SecretRotation, SecretService, SigningSecret
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page
from ogel.runtime.http.route import Call, Route


class SecretRoutes:
    def __init__(self, service: SecretService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        one = "/api/webhooks/{id}"
        return [
            Route("GET", one + "/secrets", self._list, Access("key", "webhooks:read", "read"),
                  "What an endpoint's requests are signed with", returns=Page[SigningSecret]),
            Route("POST", one + "/rotate-secret", self._rotate,
                  Access("key", "webhooks:write", "write").audited("webhook.rotate_secret"),
                  "Replace the secret, with an overlap; the answer alone shows the new one", body=SecretRotation,
                  body_optional=True, returns=Rotated),
        ]  # fmt: skip

    async def _list(self, call: Call[Any, Any]) -> Page[SigningSecret]:
        return Page(list(await self._service.list(call.path["id"])), next=None)

    async def _rotate(self, call: Call[SecretRotation | None, Any]) -> Rotated:
        return await self._service.rotate(call.caller, call.path["id"], call.body or SecretRotation())
