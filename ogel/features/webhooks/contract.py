"""What other features may know of webhooks."""

from __future__ import annotations

# `{delivered_events}` in their queries: ids of the events that there are deliveries of.
DELIVERED_EVENTS = b"(SELECT event_id AS id FROM webhook_deliveries)"
