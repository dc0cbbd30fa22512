"""Releases: what runs here, on which schema, and what one could go back to."""
