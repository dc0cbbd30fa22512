"""What other features may know of observability: the scope that metrics want, which are read most of all in trouble."""

from __future__ import annotations

METRICS_SCOPE = "metrics:read"
