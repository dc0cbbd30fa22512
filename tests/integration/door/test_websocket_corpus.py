"""RFC 6455 by cases: what is right is echoed, what is wrong ends the session with its code."""

from __future__ import annotations

import asyncio

import pytest

from tests.support import websocket_corpus
from tests.support.door import door
from tests.support.frames import BINARY, CLOSE, PONG, TEXT, Frame, websocket
from tests.support.sessions import taking_door
from tests.support.websocket_corpus import Case

GROUPS = websocket_corpus.groups()
# What is longer is sent whole only.
SMALL_BYTES = 400
AT_ONCE = 25
# An ASGI application, and a connection that realtime has taken over.
DOORS = {"an application": door, "realtime": taking_door}


@pytest.mark.parametrize("at", DOORS)
@pytest.mark.parametrize("group", GROUPS)
def test_whole(group: str, at: str) -> None:
    play(GROUPS[group], at, by_bytes=False)


@pytest.mark.parametrize("at", DOORS)
@pytest.mark.parametrize("group", GROUPS)
def test_byte_by_byte(group: str, at: str) -> None:
    small = {name: case for name, case in GROUPS[group].items() if len(case.sent) < SMALL_BYTES}
    play(small, at, by_bytes=True)


def test_there_are_enough() -> None:
    assert sum(len(cases) for cases in GROUPS.values()) >= 250


def play(cases: dict[str, Case], at: str, *, by_bytes: bool) -> None:
    failures: list[str] = []

    async def told() -> None:
        gate = asyncio.Semaphore(AT_ONCE)
        async with DOORS[at]() as recorder:

            async def one(name: str, case: Case) -> None:
                async with gate:
                    try:
                        check(case, await talk(recorder.port, case, by_bytes))
                    except (AssertionError, TimeoutError) as error:
                        failures.append(f"{name}: {str(error) or 'nothing moves any more'}")

            await asyncio.gather(*(one(name, case) for name, case in cases.items()))

    asyncio.run(asyncio.wait_for(told(), 100))
    assert not failures, f"{len(failures)} of {len(cases)}:\n" + "\n".join(failures)


async def talk(port: int, case: Case, by_bytes: bool) -> list[Frame]:
    """All that came back until the server hung up."""
    async with websocket(port) as session:
        size = 1 if by_bytes else len(case.sent)
        await session.wire.write_by(size, case.sent)
        if case.then:
            await session.until(lambda got: answered(case, got))
            session.wire.write(case.then)
        assert await session.wire.end(), f"still open: {short(session.frames)}"
        return session.frames


def answered(case: Case, got: list[Frame]) -> bool:
    echoes, pongs = echoes_and_pongs(got)
    return len(echoes) >= len(case.echoes) and pongs[-1:] == case.pongs[-1:]


def check(case: Case, got: list[Frame]) -> None:
    assert got and got[-1].opcode == CLOSE, f"no close frame: {short(got)}"
    code = got[-1].code
    assert code in case.codes, f"closed with {code}, not {sorted(map(str, case.codes))}: {short(got)}"
    assert [each.opcode for each in got].count(CLOSE) == 1, f"two close frames: {short(got)}"
    echoes, pongs = echoes_and_pongs(got)
    if case.fails:
        assert case.echoes[: len(echoes)] == echoes, f"echoed what it should not: {short(got)}"
    else:
        assert echoes == case.echoes, f"echoed something else: {short(got)}"
        assert pongs[-1:] == case.pongs[-1:], f"the last ping went unanswered: {short(got)}"
        unmet = iter(case.pongs)
        assert all(pong in unmet for pong in pongs), f"pongs nobody asked for: {short(got)}"


def echoes_and_pongs(got: list[Frame]) -> tuple[tuple[tuple[int, bytes], ...], tuple[bytes, ...]]:
    echoes = tuple((each.opcode, each.payload) for each in messages(got) if each.fin)
    return echoes, tuple(each.payload for each in got if each.opcode == PONG)


def short(got: list[Frame]) -> list[tuple[int, bytes, int]]:
    return [(each.opcode, each.payload[:20], len(each.payload)) for each in got]


def messages(got: list[Frame]) -> list[Frame]:
    """Put together, where they came in pieces."""
    whole: list[Frame] = []
    for each in got:
        if each.opcode in (TEXT, BINARY):
            whole.append(each)
        elif each.opcode < CLOSE:
            begun = whole.pop()
            whole.append(Frame(begun.opcode, begun.payload + each.payload, each.fin))
    return whole
