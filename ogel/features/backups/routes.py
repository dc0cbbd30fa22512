"""/api/backups"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ogel.features.backups.backup import Backup, BackupStatus, NewBackup
from ogel.features.backups.service import BackupService
from ogel.runtime.http.access import Access
from ogel.runtime.http.pagination import Page, PageQuery, filters_of, page
from ogel.runtime.http.route import Call, Route


class BackupQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: BackupStatus | None = None


class BackupRoutes:
    def __init__(self, service: BackupService) -> None:
        self._service = service

    def routes(self) -> Sequence[Route]:
        read, write = Access("key", "backups:read", "read"), Access("key", "backups:write", "write")
        one = "/api/backups/{id}"
        return [
            Route("POST", "/api/backups", self._create, write.audited("backup.create"),
                  "Copy all of Ogel's data into the store", body=NewBackup, body_optional=True,
                  returns=Backup, status=202),
            Route("GET", "/api/backups", self._list, read, "List backups, newest first",
                  query=BackupQuery, returns=Page[Backup]),
            Route("GET", one, self._get, read, "One backup and how far it is", returns=Backup),
            Route("DELETE", one, self._delete, write.audited("backup.delete"),
                  "Delete it with its objects; one that runs is stopped"),
            Route("POST", one + "/verify", self._verify, write.audited("backup.verify"),
                  "Read all of it and check that it can be restored", returns=Backup, status=202),
        ]  # fmt: skip

    async def _create(self, call: Call[NewBackup | None, Any]) -> Backup:
        return await self._service.create(call.caller, call.body or NewBackup())

    async def _list(self, call: Call[Any, BackupQuery]) -> Page[Backup]:
        query = call.query
        return page(await self._service.list(filters_of(query)), query.limit, lambda backup: backup.id)

    async def _get(self, call: Call[Any, Any]) -> Backup:
        return await self._service.get(call.path["id"])

    async def _delete(self, call: Call[Any, Any]) -> None:
        await self._service.delete(call.caller, call.path["id"])

    async def _verify(self, call: Call[Any, Any]) -> Backup:
        return await self._service.verify(call.caller, call.path["id"])
