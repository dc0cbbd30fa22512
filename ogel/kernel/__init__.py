"""Words shared by all: errors, ids, clock, event. Standard library and msgspec only."""
