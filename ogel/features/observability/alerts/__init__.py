"""Alerts: rules held against fresh numbers every minute; one that is raised or cleared is an event."""
