"""Sessions: begun, refreshed, ended, and known from memory for less than a second."""
