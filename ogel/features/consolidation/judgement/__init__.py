"""Keep, replace or remove: a file for each kind of service, and what they share."""
