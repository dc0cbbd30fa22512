"""Messaging: SMS to numbers and push to devices, carried by the providers you have, each with its attempts."""
