"""Queues and jobs: list what waits and what failed for good, and retry, cancel or purge it."""
