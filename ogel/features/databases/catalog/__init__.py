"""Looking into registered PostgreSQL databases, read-only."""
