"""Service level objectives: what is promised, how well it is kept in an hour, a day and 30 days, and what is left."""
