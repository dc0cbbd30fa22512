"""Queues and jobs: what waits, what failed for good, and what to do about it."""
