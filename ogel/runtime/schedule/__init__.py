"""Schedules: jobs at times written in cron, once per tick whoever counts the time."""
