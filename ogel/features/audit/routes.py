"""GET /api/audit-logs, whole exports of it, and what verifying it finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from ogel.features.audit.service import AuditService
from ogel.features.audit.store import AuditRecord
from ogel.features.audit.verify import ChainVerdict
from ogel.kernel.errors import Unavailable
from ogel.kernel.text import STORABLE_PATTERN
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, filters_of, page
from ogel.runtime.http.reply import encode_json
from ogel.runtime.http.route import Call, Chunks, Reply, Route

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=STORABLE_PATTERN)]
# Walks of the whole log, which may take minutes each, in one process.
MOST_WALKS = 2
NDJSON = "application/x-ndjson"
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class AuditQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    user_id: UUID | None = None
    actor: Word | None = None
    action: Word | None = None
    resource_type: Word | None = None
    resource_id: Word | None = None
    since: Moment | None = None
    until: Moment | None = None


class ExportQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    since: Moment
    until: Moment | None = None


class Checked(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of a verification: how many records are checked, of how many; the last has the verdict."""

    checked: int
    total: int | None
    verdict: ChainVerdict | None = None


class AuditRoutes:
    def __init__(self, service: AuditService) -> None:
        self._service = service
        self._walks = 0

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
            ),
            Route(
                "GET",
                "/api/audit-logs/export",
                self._export,
                access=Access("key", "audit:read", "read").audited("audit.export"),
                summary="Export sealed records, oldest first, each with its hash and the one before it",
                query=ExportQuery,
                returns=Chunks,
                media_type=NDJSON,
                head=False,
            ),
            Route(
                "GET",
                "/api/audit-logs/verification",
                self._verify,
                access=Access("key", "audit:read", "read"),
                summary="Verify the whole log: a line now and then says how far it is, the last what was found",
                returns=Chunks,
                media_type=NDJSON,
                head=False,
            ),
        ]

    async def _export(self, call: Call[Any, ExportQuery]) -> Reply:
        self._check_room()
        piece = await self._service.begin_export(call.caller, call.query.since, call.query.until)

        async def lines() -> AsyncIterator[bytes]:
            with self._walk():
                async for some in self._service.lines(piece):
                    yield b"".join(some)

        return Reply(Chunks(lines(), NDJSON), headers={"x-total-count": str(piece.length)})

    async def _verify(self, call: Call[Any, Any]) -> Chunks:
        self._check_room()
        return Chunks(self._checking(), NDJSON)

    def _check_room(self) -> None:
        if self._walks >= MOST_WALKS:
            raise Unavailable("The log is being verified or exported already.", retry_after_seconds=10)

    @contextmanager
    def _walk(self) -> Iterator[None]:
        self._check_room()  # others may have begun since it was asked first
        self._walks += 1
        try:
            yield
        finally:
            self._walks -= 1

    async def _checking(self) -> AsyncIterator[bytes]:
        """Ends the work when nobody reads any more."""
        told: asyncio.Queue[Checked | None] = asyncio.Queue()
        last = Checked(0, None)

        def progress(checked: int, total: int | None) -> None:
            nonlocal last
            last = Checked(checked, total)
            if told.empty():  # who reads slowly is told less often
                told.put_nowait(last)

        with self._walk():
            work = asyncio.create_task(self._service.verify(progress))
            work.add_done_callback(lambda _: told.put_nowait(None))
            try:
                while (line := await told.get()) is not None:
                    yield encode_json(line) + b"\n"
                yield encode_json(msgspec.structs.replace(last, verdict=work.result())) + b"\n"
            finally:
                work.cancel()

    async def _list(self, call: Call[Any, AuditQuery]) -> Page[AuditRecord]:
        query = call.query
        return page(await self._service.list(filters_of(query)), query.limit, lambda record: record.id)
