"""The process: starting and stopping its services, its memory, its resource usage."""
