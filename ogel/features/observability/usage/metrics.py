"""The names of usage metrics that users see."""

from __future__ import annotations

from typing import Literal, get_args

Metric = Literal[
    "http.requests",
    "http.received_bytes",
    "http.sent_bytes",
    "events.published",
    "deliveries.attempts",
    "jobs.performed",
    "realtime.messages",
    "realtime.connections",
    "storage.bytes",
]
Label = Literal["status", "outcome", "queue"]

METRICS: tuple[Metric, ...] = get_args(Metric)
# For these a bucket holds the highest value; for the others, the sum.
PEAKS: tuple[Metric, ...] = ("realtime.connections", "storage.bytes")
