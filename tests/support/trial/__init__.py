"""A feature of the tests' own: see tests/support/trial_process.py."""
