"""Mail: a letter, the address on it, its bytes, and what sends it."""
