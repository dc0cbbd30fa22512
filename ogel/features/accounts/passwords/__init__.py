"""Passwords: hashed in a pool of bounded size, checked, held to a policy."""
