"""Who gets which event: a delivery and its job per endpoint, in the publisher's transaction."""
