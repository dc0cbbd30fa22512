"""Consolidation: what the services of a Railway project are, who uses them, and which of them can go."""
