"""Sending: each attempt is one signed request, whose outcome is recorded."""
