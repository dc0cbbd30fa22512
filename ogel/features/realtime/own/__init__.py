"""Ogel's own dialect of realtime: `/realtime/websocket` and `/realtime/sse`, events by globs of their types."""
