"""Railway of the settings: for features, as `core.railway`, and for commands, which need no database for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from ogel.adapters.egress.outgoing import OutgoingClient
from ogel.settings import Settings

if TYPE_CHECKING:
    from ogel.adapters.railway import RailwayApi
    from ogel.runtime.outgoing import Outgoing
    from ogel.runtime.railway import Railway


@asynccontextmanager
async def railway(settings: Settings) -> AsyncIterator[Railway]:
    client = OutgoingClient(proxy=settings.egress_proxy)
    try:
        yield railway_over(client, settings)
    finally:
        await client.close()


def railway_over(outgoing: Outgoing, settings: Settings) -> Railway:
    """It imports nothing before it is used: few processes ever ask Railway."""
    return cast("Railway", _Late(outgoing, settings))


class _Late:
    def __init__(self, outgoing: Outgoing, settings: Settings) -> None:
        self._outgoing = outgoing
        self._settings = settings

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)

    @cached_property
    def _made(self) -> RailwayApi:
        from ogel.adapters.railway import RailwayApi, Token
        from ogel.runtime.railway import RailwayError

        settings = self._settings
        token: Token | RailwayError
        if settings.railway_token and settings.railway_api_token:
            token = RailwayError(
                "bad_token", "RAILWAY_TOKEN and RAILWAY_API_TOKEN are both set; take one of them away"
            )
        elif settings.railway_token:
            token = Token("project", settings.railway_token)
        elif settings.railway_api_token:
            token = Token("account", settings.railway_api_token)
        else:
            token = RailwayError("no_token", "neither RAILWAY_TOKEN nor RAILWAY_API_TOKEN is set")
        return RailwayApi(self._outgoing, settings.railway_api, token)
