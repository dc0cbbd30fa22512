"""Slots, shared deadlines and the idle pool: the parts that count, wait and forget."""

import asyncio
from typing import cast

import pytest

from ogel.adapters.egress.connection import Connection
from ogel.adapters.egress.deadlines import Deadlines
from ogel.adapters.egress.pool import IdlePool
from ogel.adapters.egress.slots import Slots


def test_slots_are_given_in_order_and_a_leaver_is_passed_over() -> None:
    async def story() -> list[str]:
        slots, order = Slots(1), []

        async def use(name: str) -> None:
            await slots.take()
            order.append(name)
            slots.give_back()

        assert slots.try_take()
        waiting = [asyncio.create_task(use(name)) for name in "abc"]
        await asyncio.sleep(0)
        waiting[1].cancel()
        assert not slots.try_take()
        slots.give_back()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert slots.taken == 0
        return order

    assert asyncio.run(story()) == ["a", "c"]


def test_a_slot_handed_to_someone_who_just_left_is_not_lost() -> None:
    async def story() -> None:
        slots = Slots(1)
        assert slots.try_take()
        waiting = asyncio.create_task(slots.take())
        await asyncio.sleep(0)
        slots.give_back()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert slots.taken == 0
        assert slots.try_take()

    asyncio.run(story())


class Bell:
    def __init__(self) -> None:
        self.rang = asyncio.Event()

    def expire(self) -> None:
        self.rang.set()


def test_what_is_still_there_expires_and_what_was_discarded_does_not() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        deadlines, late, done, passed = Deadlines(), Bell(), Bell(), Bell()
        started = loop.time()
        tick = deadlines.add(late, started + 0.5)
        deadlines.discard(done, deadlines.add(done, started + 0.5))
        deadlines.add(passed, started - 1)
        async with asyncio.timeout(2):
            await passed.rang.wait()
            assert not late.rang.is_set()
            await late.rang.wait()
        assert loop.time() - started >= 0.5
        assert not done.rang.is_set()
        deadlines.discard(late, tick)
        again = Bell()
        deadlines.add(again, loop.time() + 0.01)
        async with asyncio.timeout(2):
            await again.rang.wait()
        deadlines.close()

    asyncio.run(story())


class Line:
    """As much of a connection as the pool looks at."""

    def __init__(self, key: str) -> None:
        self.key = (key,)
        self.idle_since = 0.0
        self.is_open = True

    def abort(self) -> None:
        self.is_open = False


def a_pool(keep_alive_seconds: float, *lines: Line) -> IdlePool:
    pool = IdlePool(keep_alive_seconds)
    for line in lines:
        pool.put(cast(Connection, line))
    return pool


def test_the_newest_is_reused_and_never_across_keys() -> None:
    old, new, other = Line("a"), Line("a"), Line("b")
    pool = a_pool(60, old, new, other)
    assert pool.take(("a",)) is new
    assert pool.take(("a",)) is old
    assert pool.take(("a",)) is None
    assert len(pool) == 1


def test_the_oldest_is_closed_first() -> None:
    old, new = Line("a"), Line("b")
    pool = a_pool(60, old, new)
    assert pool.close_oldest()
    assert (old.is_open, new.is_open) == (False, True)
    assert pool.close_oldest()
    assert not pool.close_oldest()


def test_the_dead_and_the_stale_are_not_handed_out() -> None:
    dead, alive = Line("a"), Line("a")
    pool = a_pool(60, alive, dead)
    dead.abort()
    assert pool.take(("a",)) is cast(Connection, alive)
    stale = Line("a")
    expired = a_pool(0, stale)
    assert expired.take(("a",)) is None
    assert not stale.is_open
    forgotten = Line("a")
    pool = a_pool(0, forgotten)
    pool.close_expired()
    assert (len(pool), forgotten.is_open) == (0, False)
