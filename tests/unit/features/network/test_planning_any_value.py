"""Whatever a value is: only hosts, ports and schemes of it change, and what is planned stands for something private."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from ogel.features.network.moves.planning import plan
from ogel.features.network.moves.spots import spots
from tests.unit.features.network.projects import view

ADDRESSES = {
    "maglev.proxy.rlwy.net:20105": "postgres.railway.internal:5432",
    "maglev.proxy.rlwy.net:31999": "redis.railway.internal:6379",
    "https://api-production.up.railway.app": "http://api.railway.internal:8080",
}
# What stands around an address so that it is one; a name that goes on is another name.
AROUND = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20).filter(
    lambda text: "${{" not in text and ".net" not in text and "railway" not in text and "://" not in text
)


@settings(max_examples=40)
@given(AROUND, st.sampled_from([*ADDRESSES]), AROUND)
def test_what_stands_around_an_address_stays(before: str, address: str, behind: str) -> None:
    before, behind = f"{before} ", f" {behind}"
    project = view(
        studio={"V": f"{before}{address}{behind}"},
        api={"PORT": "8080"},
        domains={"api": "api-production.up.railway.app"},
    )
    [move] = plan(project).moves
    assert project.render(move.key, move.after, {}) == f"{before}{ADDRESSES[address]}{behind}"


@settings(max_examples=40)
@given(st.text(max_size=200), st.text(max_size=200))
def test_no_value_makes_it_fail(first: str, second: str) -> None:
    found = plan(view(studio={"A": f"{first}maglev.proxy.rlwy.net:20105{second}".replace("${{", "")}))
    for move in found.moves:
        assert not spots(move.after)


def test_long_values_are_read_at_once() -> None:
    began = time.process_time()
    for text in (
        "a" * 200_000,
        "a." * 100_000,
        "a-" * 100_000,
        "://" * 60_000,
        "x://a@" * 30_000,
        "${{" * 60_000,
    ):
        spots(text + " maglev.proxy.rlwy.net:20105 ")
    assert time.process_time() - began < 2
