"""Stats: see how much was used, how the servers are doing, and hear when something is wrong."""
