"""A USER of commands: an id, or an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ogel.cli.operator import identifier
from ogel.kernel.errors import NotFound

if TYPE_CHECKING:
    from ogel.cli.client import Client


def user_id(ogel: Client, user: str) -> str:
    """Raises NotFound for an address that is nobody's, BadParameter for what can be no id."""
    if "@" not in user:
        return identifier(user)
    from ogel.features.accounts.administration.forms import UserInfo

    found = ogel.listed("/api/users", 1, query={"email": user}).as_(UserInfo)
    if not found:
        raise NotFound(f"There is no user with the address {user!r}.")
    return str(found[0].id)
