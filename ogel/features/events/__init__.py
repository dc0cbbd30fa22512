"""Events: publish what happened, once, and look it up again."""
