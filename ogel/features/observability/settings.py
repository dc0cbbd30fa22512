"""The settings of observability, and the limits of its alerts."""

from __future__ import annotations

from dataclasses import dataclass

from ogel.features.observability.slo.settings import SloSettings
from ogel.knobs import knob, real, whole


@dataclass(frozen=True, slots=True)
class ObservabilitySettings(SloSettings):
    flush_seconds: float = knob(
        "OGEL_USAGE_FLUSH_SECONDS",
        takes=real(1, 60, "seconds"),
        default=30.0,
        meaning="How often a process writes down what it counted; a `kill -9` loses no more than that.",
    )
    hours_kept_days: float = knob(
        "OGEL_USAGE_HOURS_DAYS",
        takes=real(1, 3650, "days"),
        default=90.0,
        meaning="Usage per hour older than this is deleted.",
    )
    days_kept_days: float = knob(
        "OGEL_USAGE_DAYS",
        takes=real(31, 36500, "days"),
        default=1096.0,
        meaning="Usage per day older than this is deleted.",
    )
    samples_kept_days: float = knob(
        "OGEL_RESOURCES_DAYS",
        takes=real(0.1, 3650, "days"),
        default=30.0,
        meaning="Samples of servers, queues and processes older than this are deleted.",
    )
    alert_disk_free: float = knob(
        "OGEL_ALERT_DISK_FREE",
        takes=real(0, 1, "a part of the whole"),
        default=0.1,
        meaning="Alert when less of the disk that holds OGEL_DATA_DIR is free.",
    )
    alert_connections: float = knob(
        "OGEL_ALERT_CONNECTIONS",
        takes=real(0, 1, "a part of the whole"),
        default=0.8,
        meaning="Alert when more of Postgres' max_connections are taken.",
    )
    alert_cache_hits: float = knob(
        "OGEL_ALERT_CACHE_HITS",
        takes=real(0, 1, "a part of the whole"),
        default=0.9,
        meaning="Alert when Postgres finds fewer of the blocks it needs in its cache.",
    )
    alert_memory_mb: int = knob(
        "OGEL_ALERT_MEMORY_MB",
        takes=whole(1, 10**7, "MiB"),
        default=1024,
        meaning="Alert when a process holds more resident memory, in MiB.",
    )
    alert_redis_memory: float = knob(
        "OGEL_ALERT_REDIS_MEMORY",
        takes=real(0, 1, "a part of the whole"),
        default=0.9,
        meaning="Alert when Redis has used more of its maxmemory.",
    )
