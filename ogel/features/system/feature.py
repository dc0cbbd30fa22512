"""The manifest of metrics."""

from __future__ import annotations

from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from ogel.features.system.service import Metrics, SystemService
from ogel.runtime.feature import Feature
from ogel.runtime.http.access import Access
from ogel.runtime.http.route import Call, Route, Text


class SystemRoutes:
    def __init__(self, service: SystemService) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        # Prometheus asks every few seconds, and from wherever it runs: that is no reason to be refused.
        access = Access("key", "metrics:read", "none")
        return [
            Route(
                "GET",
                "/metrics",
                self._prometheus,
                access,
                "Metrics in Prometheus' text format",
                returns=Text,
                name="get_metrics_text",
            ),
            Route("GET", "/api/metrics", self._json, access, "Metrics as JSON", returns=Metrics),
        ]

    async def _prometheus(self, call: Call[Any, Any]) -> Text:
        return Text(await self._service.prometheus(), CONTENT_TYPE_LATEST)

    async def _json(self, call: Call[Any, Any]) -> Metrics:
        return await self._service.json()


def system_feature(service: SystemService) -> Feature:
    return Feature(name="system", routes=SystemRoutes(service).routes)
