"""GET /api/audit-logs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from ogel.features.audit.service import AuditService
from ogel.features.audit.store import AuditRecord
from ogel.kernel.text import STORABLE_PATTERN
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, filters_of, page
from ogel.runtime.http.route import Call, Route

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=STORABLE_PATTERN)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class AuditQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    user_id: UUID | None = None
    actor: Word | None = None
    action: Word | None = None
    resource_type: Word | None = None
    resource_id: Word | None = None
    since: Moment | None = None
    until: Moment | None = None


class AuditRoutes:
    def __init__(self, service: AuditService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                "/api/audit-logs",
                self._list,
                access=Access("key", "audit:read", "read"),
                summary="List audit records, newest first",
                query=AuditQuery,
                returns=Page[AuditRecord],
            )
        ]

    async def _list(self, call: Call[Any, AuditQuery]) -> Page[AuditRecord]:
        query = call.query
        return page(await self._service.list(filters_of(query)), query.limit, lambda record: record.id)
