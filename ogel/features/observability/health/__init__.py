"""Health: the services that Ogel depends on are checked every minute; a change is published as an event."""
