"""The gateway: what stands in front of other services, and when nothing is let through."""
