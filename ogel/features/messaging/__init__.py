"""Messaging: SMS to phone numbers and push messages to devices, sent through the configured providers."""
