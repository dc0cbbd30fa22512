"""Every feature there is, a line each: what is known of it before it is imported. See runtime/lazy.py."""

from __future__ import annotations

from ogel.runtime.lazy import LazyFeature

# In the order in which cleanup and the OpenAPI document show them.
FEATURES: tuple[LazyFeature, ...] = (
    LazyFeature("audit", queues=["audit"], brings=["settings"]),
    LazyFeature("databases", queues=["databases"]),
    LazyFeature("events", brings=["settings"]),
    LazyFeature("keys", brings=["authenticators", "services", "settings"]),
    LazyFeature("accounts", brings=["authenticators", "services", "settings"]),
    LazyFeature("teams", brings=["settings"]),
    LazyFeature("storage", queues=["cleanup"], brings=["samples", "alerts", "settings"]),
    LazyFeature("storage.s3_keys", brings=["authenticators"]),
    LazyFeature("gateway", brings=["settings"]),
    LazyFeature("messaging", queues=["messaging"], brings=["settings"]),
    LazyFeature("mail", queues=["mail"], brings=["settings"]),
    LazyFeature("realtime", queues=["realtime"], brings=["subscribers", "streams", "services", "settings"]),
    LazyFeature(
        "webhooks", queues=["webhooks", "cleanup"], brings=["subscribers", "samples", "alerts", "settings"]
    ),
    LazyFeature("observability", queues=["stats"], brings=["samples", "alerts", "settings"]),
    LazyFeature("costs", queues=["stats"], brings=["samples", "alerts", "settings"]),
    LazyFeature("network", brings=["samples", "alerts", "settings"]),
    LazyFeature("cleanup", queues=["cleanup"]),
    LazyFeature("backups", queues=["backups"], brings=["settings"]),
    LazyFeature("jobs", queues=["cleanup"], brings=["alerts", "settings"]),
    LazyFeature("schedules", brings=["settings"]),
    LazyFeature("releases", brings=["settings"]),
    LazyFeature("observability.metrics", brings=["process_routes", "services", "settings"]),
)
