"""Observability: usage, metrics, health and resources of the suite, and alerts about them."""
