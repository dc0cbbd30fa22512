"""Connections kept open between requests, each reusable only by those who may share it."""

from __future__ import annotations

import time
from collections import OrderedDict

from ogel.adapters.egress.connection import Connection

# scheme, host, port, vetted address, pool key
Key = tuple[object, ...]


class IdlePool:
    """Newest first out, as the newest is the least likely to be stale; oldest first closed.

    Its size is the client's to bound, who counts these together with the connections in use.
    """

    def __init__(self, keep_alive_seconds: float) -> None:
        self._keep_alive_seconds = keep_alive_seconds
        self._by_key: dict[Key, dict[Connection, None]] = {}
        self._by_age: OrderedDict[Connection, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_age)

    def take(self, key: Key) -> Connection | None:
        newest_too_old = time.monotonic() - self._keep_alive_seconds
        while bucket := self._by_key.get(key):
            connection = next(reversed(bucket))
            self.forget(connection)
            if connection.idle_since > newest_too_old and connection.is_open:
                return connection
            connection.abort()
        return None

    def put(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        self._by_key.setdefault(connection.key, {})[connection] = None
        self._by_age[connection] = None

    def forget(self, connection: Connection) -> None:
        """Take it out without closing it; one that is not in is no error."""
        if connection not in self._by_age:
            return
        del self._by_age[connection]
        bucket = self._by_key[connection.key]
        del bucket[connection]
        if not bucket:
            del self._by_key[connection.key]

    def close_oldest(self) -> bool:
        """Closes the connection that has been idle longest. Returns False when there is none."""
        if not self._by_age:
            return False
        oldest = next(iter(self._by_age))
        self.forget(oldest)
        oldest.abort()
        return True

    def close_expired(self) -> None:
        newest_too_old = time.monotonic() - self._keep_alive_seconds
        while self._by_age and next(iter(self._by_age)).idle_since <= newest_too_old:
            self.close_oldest()
