"""
Listeners: endpoints of `ogel listen`, which polls for its requests, sends them to a local program and returns the
answers.
"""
