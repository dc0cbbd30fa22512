"""Cleanup deletes data that is older than its retention, and reports what it deleted."""
