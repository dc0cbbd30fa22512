"""Rate limits: how much each caller may ask for, and how often."""
