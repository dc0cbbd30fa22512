"""The examples in /openapi.json are what a suite of today answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.exchanges import EXAMPLES, exchanges


def test_examples_are_what_comes_today(database_url: str, redis_url: str, tmp_path: Path) -> None:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with exchanges(servers, tmp_path) as today:
        pass
    assert today.by_id.keys() == EXAMPLES.keys(), "`make examples`"
    for id, example in EXAMPLES.items():
        now = today.by_id[id]
        assert fields(example.body) == fields(now.body), f"{id}: `make examples`"
        assert example.answers.keys() == now.answers.keys(), f"{id}: `make examples`"
        for status, answer in example.answers.items():
            assert fields(answer) == fields(now.answers[status]), f"{id} {status}: `make examples`"


def fields(value: Any) -> Any:
    """Of an object, and of the first of its `items`: what is deeper depends on the moment."""
    if not isinstance(value, dict):
        return None
    return set(value), fields(next(iter(value.get("items") or []), None))
