"""What tests that speak to a running Ogel share: the processes, a receiver, an HTTP client."""
