"""
Schedules publish an event or enqueue a job at chosen times. Callers list them, see the last run, and run them now.
"""
