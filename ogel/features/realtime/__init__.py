"""Realtime: clients receive events as they happen, over WebSocket or Server-Sent Events."""
