"""Rate limits of a whole suite: two processes, one budget, and one key over it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.contract import assert_problem
from tests.support.process import Client, Ogel

QUOTA = 60


def test_two_processes_share_the_budget_of_a_key(tmp_path: Path, database_url: str, redis_url: str) -> None:
    settings = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_RATE_READ": f"{QUOTA}/1h"}
    with (
        Ogel("api", log=tmp_path / "first.log", **settings) as first,
        Ogel("api", log=tmp_path / "second.log", **settings) as second,
    ):
        key = first.api.ok("POST", "/api/keys", {"name": "a test", "scopes": ["events:read"]})["key"]
        asked = [Client(each.port, key=key) for each in (first, second)]
        statuses = [asked[n % 2]("GET", "/api/events").status for n in range(QUOTA + 20)]
        assert statuses == [200] * QUOTA + [429] * 20
        for client in asked:
            refused = client("GET", "/api/events")
            problem = assert_problem(refused, 429)
            assert problem["type"] == "urn:ogel:rate-limited"
            assert 1 <= int(refused.headers["retry-after"]) <= 60
            assert refused.headers["ratelimit"] == f'"read";r=0;t={refused.headers["retry-after"]}'
        # Operators and other classes go on.
        assert [each.api("GET", "/api/events").status for each in (first, second)] == [200, 200]
        assert (
            'ogel_rate_limited_requests_total{policy="read"} 11.0'
            in first.api("GET", "/metrics").raw.decode()
        )
        assert json.dumps(key) not in first.log_text() + second.log_text()
