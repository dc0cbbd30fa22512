"""Replays: sending past events of an endpoint again."""
