"""PostgreSQL as features use it: transactions, named queries, and what a failed statement means."""
