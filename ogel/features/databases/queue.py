"""The queue of all jobs that connect to registered databases."""

from __future__ import annotations

QUEUE = "databases"
