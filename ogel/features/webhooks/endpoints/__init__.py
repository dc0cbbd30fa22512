"""The endpoints themselves: created, changed, paused, tested, deleted."""
