"""Messages: accepted, looked up, tried again, forgotten."""
