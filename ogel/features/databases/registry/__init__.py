"""Registering databases: where they are, and who we are to them."""
