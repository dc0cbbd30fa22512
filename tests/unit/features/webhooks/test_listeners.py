"""How many types one statement asks about: what comes back is read at one go, on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from ogel.features.webhooks.fanout.store import FEW, MOST_KEYS, TYPES, FanOutStore, ListeningEndpoint
from ogel.runtime.database.database import Transaction

LONG = "x." * 63


class Endpoints:
    """A session in whose database so many endpoints hear everything."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.asked: list[tuple[int, int]] = []

    async def tuples(self, query: bytes, parameters: Mapping[str, Sequence[str]]) -> list[tuple[Any, ...]]:
        self.asked.append((len(parameters["types"]), len(parameters["keys"])))
        return [(type, f"wh_{n}", None, None) for type in parameters["types"] for n in range(self._count)]


def heard(endpoints: Endpoints, types: Sequence[str]) -> Mapping[str, Sequence[ListeningEndpoint]]:
    return asyncio.run(FanOutStore().listeners(cast(Transaction, endpoints), types))


@pytest.mark.parametrize("types", [[], ["a"], [f"a.{n}" for n in range(500)]])
def test_every_type_is_asked_about_once(types: Sequence[str]) -> None:
    endpoints = Endpoints(1)
    assert list(heard(endpoints, types)) == types
    assert sum(asked for asked, _ in endpoints.asked) == len(types)
    assert len(endpoints.asked) <= 6


@pytest.mark.parametrize("count", [10, 300, 2000])
def test_where_many_listen_few_types_are_asked_about_together(count: int) -> None:
    endpoints = Endpoints(count)
    found = heard(endpoints, [f"a.{n}" for n in range(30)])
    assert {len(listeners) for listeners in found.values()} == {count}
    first, *others = (asked for asked, _ in endpoints.asked)
    assert first == TYPES
    assert all(asked == 1 or asked * count <= FEW for asked in others)


def test_a_statement_has_few_keys_however_long_the_types_are() -> None:
    endpoints = Endpoints(0)
    heard(endpoints, [f"{n:02}{LONG}" for n in range(100)])
    assert max(keys for _, keys in endpoints.asked) < MOST_KEYS + 200


def test_who_listens_to_many_types_is_kept_once() -> None:
    found = heard(Endpoints(3), ["a", "b"])
    assert all(one is other for one, other in zip(found["a"], found["b"], strict=True))
