"""The body of a request: the Standard Webhooks payload, full or thin."""

from __future__ import annotations

import msgspec

from ogel.features.webhooks.endpoints.endpoint import Payload
from ogel.kernel.event import Event


def webhook_body(event: Event, payload: Payload) -> bytes:
    """
    The same bytes at every attempt. Full: the publisher's data, unchanged. Thin: `data` names the event and its subject
    only, so that whoever reads the rest asks for it, and is known to have (GET /api/events/{id}).
    """
    data = event.data if payload == "full" else _identification(event)
    return b'{"type":"%s","timestamp":"%s","data":%s}' % (event.type.encode(), event.timestamp.encode(), data)


def _identification(event: Event) -> bytes:
    return msgspec.json.encode({"id": event.id, "subject": event.subject})
