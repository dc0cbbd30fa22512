"""Sending: choosing a provider for a message, and recording its answer."""
