"""Endpoints: creating, changing, pausing, testing and deleting them."""
