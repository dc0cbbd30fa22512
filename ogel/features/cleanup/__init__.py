"""Cleanup: Ogel forgets finished deliveries and events that are older than you asked it to keep."""
