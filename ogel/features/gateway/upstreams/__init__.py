"""Upstreams: private services that are reached through the gateway."""
