"""Endpoints that fail: the breaker that spares them, their recovery, and the end of patience."""
