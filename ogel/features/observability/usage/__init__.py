"""Usage: every process counts in memory, and the counts are added up per hour and day."""
