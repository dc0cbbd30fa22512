"""Databases of users: registering, monitoring, inspecting and migrating them."""
