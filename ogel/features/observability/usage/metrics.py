"""What is counted, by the names that users see."""

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
# Of these a bucket holds the most there was at one time; of the others, how many there were.
PEAKS: tuple[Metric, ...] = ("realtime.connections", "storage.bytes")
