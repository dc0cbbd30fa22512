"""Who uses a service: by variables, requests, rows, objects, and what it consumes."""
