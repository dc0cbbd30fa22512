"""What others hear of sessions."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id

CREATED, ENDED = "auth.session.created", "auth.session.ended"
EVENTS = {
    CREATED: "somebody has signed in",
    ENDED: "a session was ended before its time; `reason` says why",
}


def session_events(type: str, user_id: UUID, sessions: Sequence[UUID], **more: str) -> list[Event]:
    """One for each session; their subject is the user."""
    now = utc_now()
    return [
        Event(
            new_id("evt"),
            type,
            msgspec.json.encode({"session_id": id, "user_id": user_id, **more}),
            str(user_id),
            now,
        )
        for id in sessions
    ]
