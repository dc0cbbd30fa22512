"""Forwards the watching of keys to the feature that knows keys, which registers itself here."""

from __future__ import annotations

from collections.abc import Callable

from ogel.kernel.principal import Principal
from ogel.runtime.http.admission import Ending, Watch


class Watching:
    """Implements admission.Watch. When no feature knows keys, no key ends."""

    def __init__(self) -> None:
        self._watch: Watch | None = None

    def by(self, watch: Watch) -> None:
        """Registers the feature's watch. Raises ValueError when there is one already."""
        if self._watch is not None:
            raise ValueError("two features watch keys")
        self._watch = watch

    def watch(self, principal: Principal, scope: str, on_end: Callable[[Ending], None]) -> Callable[[], None]:
        if self._watch is None:
            return lambda: None
        return self._watch.watch(principal, scope, on_end)

    def look_soon(self) -> None:
        if self._watch is not None:
            self._watch.look_soon()
