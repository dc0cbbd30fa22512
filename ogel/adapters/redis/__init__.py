"""Redis: its state, pub/sub, budgets; and what can go wrong with it."""
