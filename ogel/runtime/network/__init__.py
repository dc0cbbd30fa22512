"""Servers outside this process: which there are, where they are, and how far away."""
