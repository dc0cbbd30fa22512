"""What can be left out of a run, and what a key needs for each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

Part = Literal["schedules", "queues", "delivery", "realtime", "storage"]
PARTS: Mapping[Part, Collection[str]] = {
    "schedules": ("schedules:read",),
    "queues": ("jobs:read",),
    "delivery": ("events:write", "webhooks:read", "webhooks:write"),
    "realtime": ("events:write", "realtime:read"),
    "storage": ("storage:read", "storage:write"),
}
ALWAYS = ("metrics:read",)
