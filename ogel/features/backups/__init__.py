"""Backups: all of Ogel's own data as it stood at one moment, kept as sealed objects, and brought back from them."""
