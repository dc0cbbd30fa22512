"""Objects: their rows, and what happens to those."""
