"""/api/release."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from ogel import __version__
from ogel.features.releases.release import Release, SchemaState
from ogel.features.releases.settings import ReleasesSettings
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route


class ReleaseRoutes:
    def __init__(
        self,
        settings: ReleasesSettings,
        deployment: str | None,
        started_at: datetime,
        schema: Callable[[], Awaitable[SchemaState]],
    ) -> None:
        self._settings = settings
        self._deployment = deployment
        self._started_at = started_at
        self._schema = schema

    def routes(self) -> Sequence[Route]:
        access = Access("key", "metrics:read", "read")
        return [
            Route("GET", "/api/release", self._show, access,
                  "Which version, commit and deployment answers, and on which schema", returns=Release),
        ]  # fmt: skip

    async def _show(self, call: Call[Any, Any]) -> Release:
        schema = await self._schema()
        return Release(__version__, self._settings.commit, self._deployment, self._started_at, schema)
