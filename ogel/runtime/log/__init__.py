"""One form of the log for all sources, and what a terminal may be sent."""
