"""What is asked over HTTP: a few paths that only tell, first of everybody, then of what a service seems to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ogel.features.consolidation.kinds import Kind

FIRST: Sequence[str] = ("/", "/health")
# Without the two above. A gateway's public side is asked nothing more: whatever answers there is behind it.
THEN: Mapping[Kind, Sequence[str]] = {
    "kong": ("/services?size=1000", "/routes?size=1000", "/plugins?size=1000", "/status"),
    "gotrue": ("/settings",),
    "postgres_meta": ("/config/version",),
    "minio": ("/minio/health/live",),
    "realtime": ("/healthcheck", "/api/openapi", "/socket/websocket"),
    "studio": ("/api/platform/profile",),
    "other": ("/config/version", "/settings", "/api/openapi"),
    "ogel": ("/api/health",),
}
# What none of these wants: they are known by their own protocol, or there is nothing more to learn.
NEVER: frozenset[Kind] = frozenset({"postgres", "redis", "mysql", "mongodb", "pgbouncer"})
