"""Secrets: sealed in the database, and kept out of what others say."""
