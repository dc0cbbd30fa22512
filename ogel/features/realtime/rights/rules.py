"""The rules, as functions of who asks, the channel's name and its namespace."""

from __future__ import annotations

from collections.abc import Sequence

from ogel.features.realtime.namespaces.namespace import Namespace
from ogel.kernel.principal import Principal
from ogel.kernel.roles import roles_of

READ, WRITE = "realtime:read", "realtime:write"
_OPEN_ROLES = frozenset(("any", "guests"))


def may_subscribe(principal: Principal, channel: str, rules: Namespace) -> bool:
    """
    Keys by their scope, people by the namespace's roles. `news#ID,ID` is for the users it names, whatever the namespace
    says, and for no others.
    """
    if principal.may(READ):
        return True
    users = users_of(channel)
    if users is not None:
        return principal.kind == "user" and principal.id in users
    return _has_one(principal, rules.subscribe_roles)


def may_publish(principal: Principal, channel: str, rules: Namespace) -> bool:
    """The same by `publish_roles`, which the users that a channel names need as well."""
    if principal.may(WRITE):
        return True
    users = users_of(channel)
    if users is not None and not (principal.kind == "user" and principal.id in users):
        return False
    return _has_one(principal, rules.publish_roles)


def heard_roles(principal: Principal) -> frozenset[str] | None:
    """What publications have to name one of, if they name roles. None: it hears them all."""
    return None if principal.may(READ) else roles_of(principal)


def users_of(channel: str) -> frozenset[str] | None:
    """The ids of the only users who may have to do with it. None: its name says nothing of users."""
    _, mark, ids = channel.rpartition("#")
    return frozenset(ids.split(",")) if mark else None


def is_open(rules: Namespace) -> bool:
    """Whether there is something in it for who has not signed in."""
    return not _OPEN_ROLES.isdisjoint((*rules.subscribe_roles, *rules.publish_roles))


def _has_one(principal: Principal, roles: Sequence[str]) -> bool:
    return not roles_of(principal).isdisjoint(roles)
