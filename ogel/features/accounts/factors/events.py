"""What others hear of second factors: an app may want to tell its user by mail."""

from __future__ import annotations

import msgspec

from ogel.features.accounts.users.user import Factor
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id

ADDED, REMOVED = "auth.factor.added", "auth.factor.removed"
EVENTS = {
    ADDED: "a user has a second factor from now on: an authenticator app whose first code was right, or recovery codes",
    REMOVED: "a user's second factor is gone, by themselves or by an operator",
}


def factor_event(type: str, factor: Factor) -> Event:
    data = {
        "id": factor.id,
        "user_id": factor.user_id,
        "factor_type": factor.factor_type,
        "friendly_name": factor.friendly_name or "",
    }
    return Event(new_id("evt"), type, msgspec.json.encode(data), str(factor.user_id), utc_now())
