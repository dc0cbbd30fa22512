"""Maintenance: a switch that all processes obey within a second."""
