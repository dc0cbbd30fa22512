"""A process: its services from start to stop, its memory, its vital signs."""
