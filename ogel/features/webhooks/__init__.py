"""Webhooks: endpoints receive every matching event as a signed request, which is retried until they answer 2xx."""
