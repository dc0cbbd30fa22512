"""Buckets: made, changed, emptied, deleted."""
