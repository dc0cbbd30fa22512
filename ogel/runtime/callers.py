"""Who is asking: the composition root says once which feature knows keys, everybody else asks here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ogel.kernel.principal import Caller, Principal

if TYPE_CHECKING:
    from ogel.runtime.http.auth import Authenticate, Ending, Watch


class Callers:
    """Fulfils Authenticate and Watch of runtime/http/auth.py. Until `known_by` was called, nobody is known."""

    def __init__(self) -> None:
        self._authenticate: Authenticate | None = None
        self._watch: Watch | None = None

    def known_by(self, authenticate: Authenticate, watch: Watch) -> None:
        """ValueError for a second feature that knows keys."""
        if self._authenticate is not None:
            raise ValueError("two features say who is behind a key")
        self._authenticate, self._watch = authenticate, watch

    async def authenticate(self, key: str, caller: Caller) -> Principal | None:
        return None if self._authenticate is None else await self._authenticate(key, caller)

    def watch(self, principal: Principal, scope: str, on_end: Callable[[Ending], None]) -> Callable[[], None]:
        assert self._watch is not None, "a principal was known by somebody"
        return self._watch.watch(principal, scope, on_end)

    def look_soon(self) -> None:
        if self._watch is not None:
            self._watch.look_soon()
