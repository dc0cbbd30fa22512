"""Alerts: rules that are evaluated every minute; an alert that is raised or cleared is published as an event."""
