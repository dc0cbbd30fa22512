"""
What other features may know of observability: the scope for reading metrics, which are needed most during outages.
"""

from __future__ import annotations

METRICS_SCOPE = "metrics:read"
