"""Sending: which provider takes a message, what it said, and what follows from that."""
