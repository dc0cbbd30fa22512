"""Webhooks: give Ogel a URL, and it hears every event that matches, signed, until it says 2xx."""
