"""Databases that Ogel does not live in: registered, watched, looked into and migrated."""
