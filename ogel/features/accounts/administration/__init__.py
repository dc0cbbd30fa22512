"""What operators do with users: found, made, changed, banned, deleted."""
