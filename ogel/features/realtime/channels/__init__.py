"""Channels: publications in order, kept for a while, so that who was away hears what was missed."""
