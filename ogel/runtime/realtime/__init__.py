"""Realtime: events pushed to connected clients over WebSocket and SSE."""
