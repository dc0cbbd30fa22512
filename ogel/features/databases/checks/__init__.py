"""Watching registered databases: whether they answer, and their statistics."""
