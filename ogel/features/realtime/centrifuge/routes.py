"""`/connection/websocket`."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from ogel.features.realtime.centrifuge.commands import Commands
from ogel.features.realtime.centrifuge.session import CentrifugeSession
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Stream
from ogel.runtime.realtime.connections.registry import Registry


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who it is may stand in the query; all else is said once the connection stands."""


def streams(registry: Registry, commands: Commands) -> list[Stream]:
    async def websocket(call: Call[None, Any], scope: Scope, receive: Receive, send: Send) -> None:
        caller = call.caller
        await registry.websocket(
            caller, send, lambda connection: CentrifugeSession(connection, caller, commands)
        )

    summary = "Subscribe and publish over a WebSocket, with a client of Centrifugo's"
    access = Access("anyone", None, "stream")
    return [Stream("/connection/websocket", websocket, access, summary, NoQuery, described=False)]
