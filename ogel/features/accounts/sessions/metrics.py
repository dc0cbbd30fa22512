"""Prometheus metrics of sessions."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class SessionMetrics:
    """Outcomes of refreshes: `stepped`, `again` (the token before the current one), `reused`, `refused`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.refreshes = Counter(
            "ogel_session_refreshes",
            "Refresh tokens that were exchanged, exchanged again, reused too late, or no good.",
            ["outcome"],
            registry=registry,
        )
        self.refused_tokens = Counter(
            "ogel_access_tokens_refused",
            "Access tokens that nobody was let in with, by why: bad_jwt, session_not_found, …",
            ["code"],
            registry=registry,
        )
