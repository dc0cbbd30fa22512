"""Users: created, changed, banned, deleted."""
