"""The secrets that requests are signed with."""
