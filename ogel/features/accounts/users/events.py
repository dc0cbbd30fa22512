"""What others hear of users: events, with what an app may know of them and none of their secrets."""

from __future__ import annotations

from typing import Any

import msgspec

from ogel.features.accounts.users.user import User
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.kernel.ids import new_id

CREATED, UPDATED, DELETED = "auth.user.created", "auth.user.updated", "auth.user.deleted"
EVENTS = {
    CREATED: "somebody signed up, or was made by an operator or another site's sign-in",
    UPDATED: "a user's address, metadata, labels or rights changed; `changed` names what",
    DELETED: "a user is gone, with sessions and factors",
}
# What comes and goes with codes and sign-ins is nobody else's business.
_SAID = (
    "id",
    "role",
    "email",
    "email_confirmed_at",
    "phone",
    "phone_confirmed_at",
    "app_metadata",
    "user_metadata",
    "labels",
    "banned_until",
    "is_anonymous",
    "deleted_at",
    "created_at",
    "updated_at",
)
_SECRET = "password"  # noqa: S105 - the word for it


def user_event(type: str, user: User, **more: Any) -> Event:
    data = {name: getattr(user, name) for name in _SAID}
    return Event(new_id("evt"), type, msgspec.json.encode(data | more), str(user.id), utc_now())


def changes(before: User, after: User) -> list[str]:
    """The names of what changed and others may know of; of a password only that it did."""
    names = [name for name in _SAID if name != "updated_at" and getattr(before, name) != getattr(after, name)]
    if before.encrypted_password != after.encrypted_password:
        names.append(_SECRET)
    return names
