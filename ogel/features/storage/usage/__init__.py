"""How much is stored, and how much waits to be deleted."""
