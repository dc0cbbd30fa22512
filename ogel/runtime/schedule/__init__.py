"""Schedules: jobs at times given as cron expressions, run once per tick however many schedulers there are."""
