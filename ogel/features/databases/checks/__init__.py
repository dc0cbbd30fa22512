"""Monitoring registered databases: availability and statistics."""
