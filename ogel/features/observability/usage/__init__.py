"""Usage: counted in memory by every process, added up per hour and day."""
