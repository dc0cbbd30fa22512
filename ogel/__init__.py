"""Ogel: the backend suite for Railway, in one image that runs as one process or as many."""

__version__ = "0.1.0"
