"""/api/webhooks/{id}/handovers, for `ogel listen`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from ogel.features.webhooks.listeners.handover import MOST_WAIT_SECONDS, HandoverAnswer, Handovers
from ogel.features.webhooks.listeners.service import ListenerService
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class AskQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    wait: Annotated[
        float,
        Meta(ge=0, le=MOST_WAIT_SECONDS, description="Seconds to wait while there is nothing to be sent."),
    ] = MOST_WAIT_SECONDS


class ListenerRoutes:
    def __init__(self, service: ListenerService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        # A delivery taken here is sent nowhere else, so this needs the scope to write.
        write = Access("key", "webhooks:write", "write")
        all = "/api/webhooks/{id}/handovers"
        return [
            Route("POST", all, self._ask, write, "Take the requests that a listener is to send",
                  query=AskQuery, returns=Handovers),
            Route("POST", all + "/{handover}", self._answer, write, "Say what came of one",
                  body=HandoverAnswer, status=204),
        ]  # fmt: skip

    async def _ask(self, call: Call[Any, AskQuery]) -> Handovers:
        return await self._service.ask(call.path["id"], call.query.wait)

    async def _answer(self, call: Call[HandoverAnswer, Any]) -> None:
        await self._service.answer(call.path["id"], call.path["handover"], call.body)
