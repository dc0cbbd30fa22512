"""Moves variables of a Railway project from public names to the private network, and back."""
