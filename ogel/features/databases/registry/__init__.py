"""Registering databases: their addresses and credentials."""
