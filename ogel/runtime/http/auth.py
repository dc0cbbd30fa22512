"""Who may pass: the bearer key of a request (RFC 6750), and the scope a route asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

from starlette.types import Scope

from ogel.kernel.errors import Forbidden, Unauthenticated
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.http.exchange import header

# A key and who sends it in, its principal out; None when nobody has that key.
Authenticate = Callable[[str, Caller], Awaitable[Principal | None]]

# Why a key is good no more. One that has lost the scope counts as revoked.
Ending = Literal["revoked", "expired"]

_KEY_CHARACTERS = 1024


class Watch(Protocol):
    """For what goes on after a request was let in: streams, and whatever else remembers a key."""

    def watch(self, principal: Principal, scope: str, on_end: Callable[[Ending], None]) -> Callable[[], None]:
        """
        Until what it returns is called. `on_end` is called once, when the principal's key has ended or lost the scope:
        even if that was between its being let in and this call.
        """

    def look_soon(self) -> None:
        """There is news of a key, or there may have been."""


def bearer_key(scope: Scope) -> str | None:
    """The key of `Authorization: Bearer <key>`."""
    scheme, _, key = (header(scope, b"authorization") or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


async def admit(key: str | None, needed: str, authenticate: Authenticate, caller: Caller) -> Principal:
    """
    The principal who holds `key` and the scope `needed`; raises Unauthenticated or Forbidden. `caller` is who sends
    it, as far as that is known before.
    """
    if key is None:
        raise Unauthenticated("Send a key: `Authorization: Bearer <key>`.")
    # Keys are printable ASCII; anything else need not trouble the database.
    known = len(key) <= _KEY_CHARACTERS and key.isascii() and key.isprintable()
    principal = await authenticate(key, caller) if known else None
    if principal is None:
        raise Unauthenticated("This key is not known.")
    if not principal.may(needed):
        raise Forbidden(f"This key lacks the scope {needed!r}.")
    return principal
