"""Migrating registered PostgreSQL databases, file by file."""
