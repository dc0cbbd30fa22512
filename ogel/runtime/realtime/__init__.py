"""Realtime: events pushed to whoever listens now, over WebSocket and SSE."""
