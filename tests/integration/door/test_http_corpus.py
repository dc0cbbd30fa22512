"""RFC 9112 by cases: each is answered as expected or refused, and nobody else's request comes out of a body."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.support import http_corpus
from tests.support.door import Answer, Exchange, Request, answers, door, exchange
from tests.support.http_corpus import AFTER, REFUSALS, REFUSED, Case, Outcome

GROUPS = http_corpus.groups()
# What is longer is sent whole only.
SMALL_BYTES = 2_000
AT_ONCE = 50


@pytest.mark.parametrize("group", GROUPS)
def test_whole(group: str) -> None:
    play(GROUPS[group], None)


@pytest.mark.parametrize("group", GROUPS)
def test_byte_by_byte(group: str) -> None:
    play({name: case for name, case in GROUPS[group].items() if len(case.raw) < SMALL_BYTES}, 1)


def test_there_are_enough() -> None:
    assert sum(len(cases) for cases in GROUPS.values()) >= 450


def play(cases: dict[str, Case], piece: int | None) -> None:
    """Each on a connection of its own, many at once; fails with all that went wrong."""
    failures: list[str] = []

    async def told() -> None:
        gate = asyncio.Semaphore(AT_ONCE)
        async with door() as recorder:

            async def one(case: Case) -> Exchange:
                async with gate:
                    return await exchange(recorder.port, case.raw + AFTER, piece=piece)

            exchanges = await asyncio.gather(*(one(case) for case in cases.values()))
            requests = recorder.by_client()
        for (name, case), seen in zip(cases.items(), exchanges, strict=True):
            try:
                check(case, seen, requests.get(seen.port, []))
            except AssertionError as error:
                failures.append(f"{name}: {error}")

    asyncio.run(asyncio.wait_for(told(), 100))
    assert not failures, f"{len(failures)} of {len(cases)}:\n" + "\n".join(failures)


def check(case: Case, seen: Exchange, requests: list[Request]) -> None:
    """What the client saw of a case, and what the application did."""
    got = answers(seen.received, [each.method for each in requests])
    named = outcome(got)
    asked = [(each.method, each.name, each.body[:100]) for each in requests]
    story = f"{named}, allowed {sorted(case.allowed)}; got {seen.received[-300:]!r}, asked {asked}"
    assert seen.hung_up, f"still open: {story}"
    assert seen.received or not seen.reset, f"reset without a word: {story}"
    assert named in case.allowed, story
    assert [each.name for each in requests] == [each for each in named if each != REFUSED], story
    if requests and requests[0].name == "first":
        assert (requests[0].method, requests[0].body) == (case.method, case.body), story
    for answer in got:
        assert "x-name" in answer.headers or answer.headers.get("connection") == "close", story


def outcome(got: Sequence[Answer]) -> Outcome:
    """Who was answered."""

    def named(answer: Answer) -> str:
        return REFUSED if answer.status in REFUSALS else answer.headers.get("x-name", str(answer.status))

    return tuple(named(each) for each in got)
