"""Databases that are registered with Ogel: PostgreSQL, MongoDB and Redis, asked within bounds."""
