"""See what runs by the clock, when it ran last and runs next, and run it now."""
