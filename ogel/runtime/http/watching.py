"""Forwards the watching of principals to the feature that knows their kind, which registers itself here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ogel.kernel.principal import Kind, Principal
from ogel.runtime.http.admission import Ending, Watch


class Watching:
    """Implements admission.Watch. A principal of a kind that no feature knows does not end."""

    def __init__(self) -> None:
        self._watches: dict[Kind, Watch] = {}

    def by(self, watches: Mapping[Kind, Watch]) -> None:
        """Registers the watches of a feature. Raises ValueError when there is one of the same kind already."""
        if twice := self._watches.keys() & watches.keys():
            raise ValueError(f"two features watch principals of the kinds {sorted(twice)}")
        self._watches.update(watches)

    def watch(self, principal: Principal, scope: str, on_end: Callable[[Ending], None]) -> Callable[[], None]:
        watch = self._watches.get(principal.kind)
        return (lambda: None) if watch is None else watch.watch(principal, scope, on_end)

    def look_soon(self) -> None:
        for watch in self._watches.values():
            watch.look_soon()
