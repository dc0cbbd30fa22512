"""Backups: consistent snapshots of all of Ogel's own data, stored as sealed objects, and restoring them."""
