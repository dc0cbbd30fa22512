"""Whom nothing is sent to: those whose mail came back, and those who asked for it."""
