"""Connections of realtime's clients: who may open one, what is written to it and read from it, and how it ends."""
