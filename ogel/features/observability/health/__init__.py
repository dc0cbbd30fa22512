"""Health: what Ogel leans on, asked every minute; a change is an event."""
