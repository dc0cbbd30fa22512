"""How the suite is doing: metrics for Prometheus, and the same in JSON for people."""
