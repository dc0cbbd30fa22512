"""Who may subscribe to a channel and publish to it, and what they hear there."""
