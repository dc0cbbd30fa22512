"""Replays: an endpoint's past, handed to delivery again."""
