"""Cleanup: Ogel forgets what is older than you asked it to keep, and says what, when and how much."""
