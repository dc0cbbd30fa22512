"""Failing endpoints: the circuit breaker, the recovery, and disabling those that fail for too long."""
