"""Which server it is that speaks Redis' protocol, by its INFO."""

from __future__ import annotations

from typing import Any

import pytest

from ogel.runtime.metrics.redis_stats import server_of


@pytest.mark.parametrize(
    ("info", "server", "version"),
    [
        ({"redis_version": "8.10.1", "redis_mode": "standalone"}, "redis", "8.10.1"),
        ({"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "9.1.2"}, "valkey", "9.1.2"),
        ({"redis_version": "7.4.0", "dragonfly_version": "df-v1.40.1"}, "dragonfly", "1.40.1"),
        ({"version": "2.17.0", "kvrocks_version": "2.17.0", "redis_version": "4.0.0"}, "kvrocks", "2.17.0"),
        ({"garnet_version": "1.1.9", "redis_version": "7.4.3"}, "garnet", "1.1.9"),
        ({"redis_version": "7.2.4", "redict_version": "7.3.0"}, "redict", "7.3.0"),
        ({"redis_version": "6.3.4", "executable": "/usr/local/bin/keydb-server"}, "keydb", "6.3.4"),
        ({"redis_version": "6.3.4", "executable": "-", "mvcc_depth": 0}, "keydb", "6.3.4"),
        ({"redis_version": 7.2}, "redis", "7.2"),  # the client makes a number of what looks like one
        ({"valkey_version": 9.1}, "valkey", "9.1"),
        ({"redis_version": "", "valkey_version": ""}, "redis", "?"),
        ({}, "redis", "?"),
    ],
)
def test_a_server_is_called_what_it_is(info: dict[str, Any], server: str, version: str) -> None:
    assert server_of(info) == (server, version)
