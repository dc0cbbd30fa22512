"""Lifecycle: objects that end at a time of their own, or by a rule of their bucket."""
