"""What passes on requests and WebSockets have in common: the upstream, and who may come in for how long."""

from __future__ import annotations

from collections.abc import Callable

from ogel.features.gateway.upstreams.asking import Asking
from ogel.runtime.http.access import Access
from ogel.runtime.http.admission import Ending, Watch
from ogel.runtime.http.exchange import Exchange
from ogel.runtime.outgoing import Upstreams


class Proxy:
    def __init__(
        self, asking: Asking, client: Upstreams, our_keys: frozenset[bytes], watch: Watch, access: Access
    ) -> None:
        """`access` says what the caller needs as long as it lasts."""
        self._asking = asking
        self._upstream = asking.upstream
        self._client = client
        self._our_keys = our_keys
        self._watch = watch
        self._access = access

    def _watched(self, exchange: Exchange, on_end: Callable[[Ending], None]) -> Callable[[], None]:
        principal = exchange.principal
        return self._watch.watch(principal, self._access.needed(principal), on_end)
