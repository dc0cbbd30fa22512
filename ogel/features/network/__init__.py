"""The network: which servers are reached over the public internet, what that costs, and how to move them inside."""
