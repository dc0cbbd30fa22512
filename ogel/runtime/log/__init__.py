"""Logging in one format for all sources, and which text may be sent to a terminal."""
