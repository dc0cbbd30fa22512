"""Scanning: objects of buckets that want it can be read once a scanner has found them clean."""
