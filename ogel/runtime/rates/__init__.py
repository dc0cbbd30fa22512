"""How much each caller may ask for, and how often."""
