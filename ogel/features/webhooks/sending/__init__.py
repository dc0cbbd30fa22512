"""One signed request per attempt, and what it leaves behind."""
