"""Metrics of the suite, for Prometheus and as JSON."""
