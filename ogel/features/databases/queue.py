"""The queue of everything that asks databases which are not ours."""

from __future__ import annotations

QUEUE = "databases"
