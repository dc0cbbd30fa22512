"""The outside world, one file per product."""
