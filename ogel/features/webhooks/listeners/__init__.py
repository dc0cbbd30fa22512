"""Listeners: laptops that ask for their deliveries, send them to a program of their own, and say what it answered."""
