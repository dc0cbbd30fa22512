"""Text from outside that can be stored: Postgres keeps every character but NUL."""

from __future__ import annotations

STORABLE_PATTERN = r"^[^\x00]*$"
