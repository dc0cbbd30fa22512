"""/api/channels/{name}/token."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Struct

from ogel.features.realtime.channels.service import check_channel
from ogel.features.realtime.rights.rules import WRITE
from ogel.features.realtime.rights.tokens import SubscriptionTokens
from ogel.kernel.text import LINE_PATTERN
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route

UserId = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=LINE_PATTERN)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=24 * 3600)]


class TokenRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`user` is the id of the only one whom it lets in; without, it lets in whoever has it."""

    user: UserId | None = None
    seconds: Seconds = 600


class SubscriptionToken(Struct, frozen=True):
    token: str
    expires_at: datetime


class TokenRoutes:
    def __init__(self, tokens: SubscriptionTokens) -> None:
        self._tokens = tokens

    def routes(self) -> Sequence[Route]:
        write = Access("key", WRITE, "write")
        return [
            Route("POST", "/api/channels/{name}/token", self._make, write,
                  "Make a token that lets somebody subscribe to a channel", body=TokenRequest,
                  returns=SubscriptionToken),
        ]  # fmt: skip

    async def _make(self, call: Call[TokenRequest, Any]) -> SubscriptionToken:
        check_channel(channel := call.path["name"])
        token, expires_at = self._tokens.sign(channel, call.body.user, call.body.seconds)
        return SubscriptionToken(token, datetime.fromtimestamp(expires_at, UTC))
