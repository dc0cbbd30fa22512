"""Measured, never claimed: `python -m bench`; see README.md beside this file."""
