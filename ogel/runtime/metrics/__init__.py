"""Metrics that more than one feature shows."""
