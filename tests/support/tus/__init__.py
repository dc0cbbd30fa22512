"""Clients of TUS as npm and PyPI have them, for tests of uploads."""
