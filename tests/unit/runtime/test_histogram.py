"""Our histogram says the same as prometheus_client's."""

from __future__ import annotations

import prometheus_client
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from ogel.runtime.metrics.histogram import Histogram

BOUNDS = (0.005, 0.1, 1, 30)


def without_created(text: bytes) -> list[bytes]:
    return [line for line in text.splitlines() if b"_created" not in line]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.sampled_from([0.0, 0.005, 0.0051, 0.1, 0.5, 1.0, 29.9, 30.0, 31.0])
        )
    )
)
def test_it_says_what_the_librarys_says(observed: list[tuple[str, float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    mine = Histogram("trial_seconds", "What it is.", ["priority"], BOUNDS, ours)
    other = prometheus_client.Histogram(
        "trial_seconds", "What it is.", ["priority"], buckets=BOUNDS, registry=theirs
    )
    for priority, value in observed:
        mine.labels(priority).observe(value)
        other.labels(priority).observe(value)
    assert without_created(generate_latest(ours)) == without_created(generate_latest(theirs))
