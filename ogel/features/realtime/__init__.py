"""Hear events as they happen, over WebSocket or Server-Sent Events."""
