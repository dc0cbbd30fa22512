"""HTTP: from a socket to a feature's handler and back."""
