"""The limits of new keys: a key gets no scope, network or lifetime that its maker does not have."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from ogel.features.keys.key import KeyKind
from ogel.features.keys.networks import within
from ogel.kernel.errors import Forbidden
from ogel.kernel.principal import ANON, SERVICE, Principal


class Grant(NamedTuple):
    """Where and how long a key may be used. None means everywhere, or for ever."""

    networks: tuple[str, ...] | None
    expires_at: datetime | None


# With it a program acts for the operators in accounts, so that it reads their users' rows as well.
_OF_OPERATORS = "accounts:write"


def role_of(kind: KeyKind, scopes: Collection[str]) -> str | None:
    """Returns as whom the database lets a key read rows. See Principal.role."""
    if kind == "publishable":
        return ANON
    return SERVICE if Principal("key", "", frozenset(scopes)).may(_OF_OPERATORS) else None


def check_scopes(maker: Principal, scopes: Collection[str]) -> None:
    """Raises Forbidden for a scope that the maker does not have."""
    for scope in scopes:
        if not maker.may(scope):
            raise Forbidden(f"This key lacks the scope {scope!r}, and cannot give it.")


def granted(maker: Grant, wanted: Grant) -> Grant:
    """Fields that were left out are taken from the maker. Raises Forbidden."""
    networks, expires_at = wanted
    if networks is None:
        networks = maker.networks
    elif maker.networks is not None and not within(networks, maker.networks):
        raise Forbidden(
            f"This key may be used from {', '.join(maker.networks)}, and can make none for elsewhere."
        )
    if expires_at is None:
        expires_at = maker.expires_at
    elif maker.expires_at is not None and expires_at > maker.expires_at:
        raise Forbidden("This key expires sooner, and can make none that lives longer.")
    return Grant(networks, expires_at)


def check_grant(maker: Grant, given: Grant) -> None:
    """Takes the grant as it is. Raises Forbidden when it exceeds the maker's."""
    if granted(maker, given) != given:
        raise Forbidden("This key is bound to networks or to a day, and cannot make one that is not.")
