"""Fan-out: makes a delivery and its job for each endpoint that gets an event, in the publisher's transaction."""
