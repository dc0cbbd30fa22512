"""Keys: what one claim obeys, and all workers together keep to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from ogel.kernel.clock import utc_now
from ogel.runtime.jobs.job import RETRY, Job, NewJob, Outcome
from ogel.runtime.jobs.keys import Rate
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.leases import CLAIM, CONTENDED_SECONDS, MOST_STEPS, LeaseStore
from ogel.runtime.jobs.retry import RetryPolicy
from ogel.runtime.jobs.runner import RunnerOptions
from ogel.runtime.jobs.shares import UNDIVIDED, Division, NewKeys, Share
from tests.support.jobs import QUEUE, World, world


async def do_nothing(job: Job, _: Any) -> None:
    pass


def kind(perform: Any = do_nothing, **options: Any) -> JobKind:
    return JobKind("trial.do", QUEUE, perform, **{"backoff": RetryPolicy.doubling(0.01, 0.02), **options})


def job(key: str, n: int = 0, **options: Any) -> NewJob:
    return NewJob("trial.do", {"n": n}, key=key, **options)


async def claimed(store: LeaseStore, limit: int = 100, **options: Any) -> Counter[str]:
    return Counter(job.key for job in (await store.claim(limit, **options)).jobs)


def leases(w: World) -> LeaseStore:
    return LeaseStore(w.database, QUEUE, lease_seconds=60)


def test_a_held_key_waits_until_released_whenever_its_jobs_were_written(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            await w.enqueue(job("k"), job("free"))
            async with w.database.transaction() as tx:
                await w.keys.hold(tx, "k")
            await w.enqueue(job("k"))
            assert await claimed(leases(w)) == {"free": 1}
            async with w.database.transaction() as tx:
                await w.keys.release(tx, QUEUE, "k")
            assert await claimed(leases(w)) == {"k": 2}

    asyncio.run(story())


def test_a_slowed_key_waits_for_its_time_and_never_shortens_it(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            async with w.database.transaction() as tx:
                await w.keys.set(tx, "k")
                await w.keys.slow(tx, "k", 0.6)
                await w.keys.slow(tx, "k", 0.1)
            await w.enqueue(job("k"))
            claim = await leases(w).claim(10)
            assert not claim.jobs
            assert claim.opens_in is not None
            assert 0 < claim.opens_in <= 0.6
            # A runner that polls every half minute still comes back in time.
            async with w.running(RunnerOptions(busy_poll_seconds=30, idle_poll_seconds=30)):
                await w.until_empty()

    asyncio.run(story())


def test_a_key_that_is_woken_runs_now(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            await w.enqueue(job("slowed"), job("open"))
            async with w.database.transaction() as tx:
                for key in ("slowed", "open"):
                    await w.keys.set(tx, key)
                    await w.keys.slow(tx, key, 3600)
                await w.keys.trip(tx, "open", probe_seconds=600)
            assert await claimed(leases(w)) == {}
            async with w.database.transaction() as tx:
                await w.keys.wake(tx, QUEUE, "slowed")
                await w.keys.wake(tx, QUEUE, "open")
            assert await claimed(leases(w)) == {"slowed": 1, "open": 1}

    asyncio.run(story())


def test_an_open_breaker_lets_one_job_through_per_interval_over_all_workers(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            async with w.database.transaction() as tx:
                await w.keys.set(tx, "k")
                await w.keys.trip(tx, "k", probe_seconds=60)
            later = utc_now() + timedelta(hours=10)
            await w.enqueue(*(job("k", scheduled_at=later, priority=RETRY) for _ in range(40)), job("other"))
            assert await claimed(leases(w)) == {"other": 1}
            for _ in range(15):  # one may begin before the other has ended, and go on after it
                async with w.database.autocommit() as tx:
                    await tx.execute(b"UPDATE job_keys SET probe_at = now()")
                probes = await asyncio.gather(*(claimed(leases(w)) for _ in range(4)))
                assert sum(probes, Counter()) == {"k": 1}  # not due for ten hours, and yet the probe
                assert await claimed(leases(w)) == {}
            async with w.database.transaction() as tx:
                await w.keys.recover(tx, QUEUE, "k")
                assert await w.keys.wake_jobs(tx, QUEUE, "k", 10) == 10
            assert 0 < (await claimed(leases(w)))["k"] <= 10

    asyncio.run(story())


def test_a_recovered_key_drains_at_a_growing_rate(database_url: str) -> None:
    async def story() -> None:
        done_at: list[float] = []

        async def perform(job: Job, _: Any) -> None:
            done_at.append(asyncio.get_running_loop().time())

        async with world(database_url, kind(perform)) as w:
            async with w.database.transaction() as tx:
                await w.keys.set(tx, "k", limit=1000)
                await w.keys.trip(tx, "k", probe_seconds=60)
                await w.keys.recover(tx, QUEUE, "k")
            began = asyncio.get_running_loop().time()
            await w.enqueue(*(job("k") for _ in range(300)))
            async with w.running(), w.running():
                await w.until_empty(20)
        # 57.7 · (2^(t/2) - 1) jobs by the time t, and a burst of a quarter second: 33 after 1 s, 67 after 2, …
        first_second = sum(at - began < 1 for at in done_at)
        assert 10 <= first_second <= 50
        assert 3 < done_at[-1] - began < 10

    asyncio.run(story())


def test_a_rate_holds_over_all_workers(database_url: str) -> None:
    async def story() -> None:
        done = 0

        async def perform(job: Job, _: Any) -> None:
            nonlocal done
            done += 1

        async with world(database_url, kind(perform)) as w:
            async with w.database.transaction() as tx:
                await w.keys.set(tx, "k", rate=Rate(per_second=40, burst=5))
            await w.enqueue(*(job("k") for _ in range(60)))
            began = asyncio.get_running_loop().time()
            async with w.running(), w.running():
                await w.until_empty(20)
            took = asyncio.get_running_loop().time() - began
        assert done == 60
        assert 55 / 40 * 0.95 < took < 3

    asyncio.run(story())


def test_a_key_that_another_worker_is_claiming_of_is_looked_at_again_soon(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            async with w.database.transaction() as tx:
                await w.keys.set(tx, "k", rate=Rate(per_second=40, burst=5))
            await w.enqueue(job("k"))
            async with w.database.transaction() as other:
                await other.execute(b"SELECT FROM job_keys WHERE key = 'k' FOR UPDATE")
                claim = await leases(w).claim(10)
            assert not claim.jobs
            assert claim.opens_in == CONTENDED_SECONDS
            assert await claimed(leases(w)) == {"k": 1}

    asyncio.run(story())


def test_jobs_of_one_order_run_one_at_a_time_in_order_even_if_some_fail(database_url: str) -> None:
    async def story() -> None:
        now_running: Counter[str] = Counter()
        done: dict[str, list[int]] = {"a": [], "b": [], "c": []}
        failed: set[tuple[str, int]] = set()

        async def perform(job: Job, _: Any) -> Outcome | None:
            order, n = job.order_key, job.payload["n"]
            now_running[order] += 1
            assert now_running[order] == 1
            await asyncio.sleep(0.001)
            now_running[order] -= 1
            if n % 3 == 0 and (order, n) not in failed:
                failed.add((order, n))
                return Outcome("retry", "once", after_seconds=0.02)
            done[order].append(n)
            return None

        async with world(database_url, kind(perform)) as w:
            for n in range(20):
                await w.enqueue(*(job("k", n, order_key=order) for order in done))
            async with w.running(), w.running():
                await w.until_empty(20)
        assert done == {order: list(range(20)) for order in done}
        assert len(failed) == 21

    asyncio.run(story())


def test_a_job_that_died_lets_the_next_of_its_order_go(database_url: str) -> None:
    async def story() -> None:
        done = []

        async def perform(job: Job, _: Any) -> Outcome | None:
            if job.payload["n"] == 0:
                return Outcome("dead", "no use")
            done.append(job.payload["n"])
            return None

        async with world(database_url, kind(perform)) as w:
            await w.enqueue(*(job("k", n, order_key="one") for n in range(3)))
            async with w.running():
                await w.until(lambda rows: [row["status"] for row in rows] == ["dead"])
        assert done == [1, 2]

    asyncio.run(story())


def test_every_key_gets_its_turn_when_there_are_more_than_one_claim_can_look_at(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            keys = [f"key{n:05}" for n in range(MOST_STEPS * 2 + 50)]
            await w.enqueue(*(job(key) for key in keys))
            async with w.database.transaction() as tx:
                for key in keys[:MOST_STEPS]:  # the first page of keys may not run at all
                    await w.keys.hold(tx, key)
            store, seen = leases(w), Counter[str]()
            for _ in range(20):
                seen += await claimed(store, limit=100)
            assert seen == dict.fromkeys(keys[MOST_STEPS:], 1)

    asyncio.run(story())


def test_a_full_key_costs_a_claim_the_same_however_much_waits_for_it(database_url: str) -> None:
    """Counted in pages touched, which no busy machine changes."""

    async def pages(w: World, busy: int) -> int:
        store = leases(w)
        parameters = store.parameters(10, Division([Share("flood", 8, busy)], NewKeys(8, 250)), ())
        async with w.database.transaction() as tx:
            [plan] = await tx.value(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + CLAIM, parameters)
        return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])

    async def story() -> None:
        async with world(database_url, kind()) as w:
            await w.enqueue(job("small"))
            few = await pages(w, busy=8)
            async with w.database.transaction() as tx:
                await tx.execute(
                    b"INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts, key)"
                    b" SELECT 'job_' || n, 'trial', 'trial.do', '{}', 3, 'flood' FROM generate_series(1, 50000) AS n"
                )
                await tx.execute(b"ANALYZE job_queue")
            await w.enqueue(job("small"))
            assert await pages(w, busy=8) < few + 50

    asyncio.run(story())


def test_a_closed_key_of_very_many_orders_is_one_step(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            await w.enqueue(
                *(job("closed", order_key=f"o{n:05}") for n in range(MOST_STEPS * 3)), job("well")
            )
            async with w.database.transaction() as tx:
                await w.keys.hold(tx, "closed")
            assert await claimed(leases(w)) == {"well": 1}

    asyncio.run(story())


def test_a_runner_looks_at_all_keys_before_it_rests(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            await w.enqueue(*(job(f"held{n:05}") for n in range(MOST_STEPS * 3)), job("well"))
            async with w.database.transaction() as tx:
                await tx.execute(b"INSERT INTO job_keys (key, held) SELECT DISTINCT key, true FROM job_queue")
                await w.keys.release(tx, QUEUE, "well")
            async with w.running(RunnerOptions(busy_poll_seconds=30, idle_poll_seconds=30)):
                await w.until(lambda rows: all(row["key"] != "well" for row in rows), 10)

    asyncio.run(story())


def test_what_a_dead_worker_held_of_a_dropped_key_goes_too(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            await w.enqueue(job("k"))
            await LeaseStore(w.database, QUEUE, lease_seconds=0.5).claim(10)
            async with w.database.transaction() as tx:
                await w.keys.drop(tx, QUEUE, "k")
            async with w.running():
                await w.until_empty()

    asyncio.run(story())


def test_new_keys_share_their_places_and_each_gets_one(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            known = [Share("known", 20, 0)]
            await w.enqueue(*(job(f"new{key}", n) for key in range(10) for n in range(5)))
            await w.enqueue(*(job("known", n) for n in range(20)))
            got = await claimed(leases(w), division=Division(known, NewKeys(4, 14)))
            assert got.pop("known") == 20
            assert len(got) == 10
            assert got.total() == 14
            # Nothing is left for them together, and yet none is shut out.
            got = await claimed(leases(w), division=Division((), NewKeys(1, 0)))
            assert got == {f"new{key}": 1 for key in range(10)}

    asyncio.run(story())


def test_new_keys_that_hang_do_not_hold_up_one_that_is_known(database_url: str) -> None:
    async def story() -> None:
        release, begun, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        left = {"hangs": 30, "well": 100}

        async def perform(job: Job, _: Any) -> None:
            if job.key == "well":
                left["well"] -= 1
                if not left["well"]:
                    done.set()
                return
            left["hangs"] -= 1
            if not left["hangs"]:
                begun.set()
            await release.wait()

        async with world(database_url, kind(perform)) as w:
            await w.enqueue(job("well"))
            async with w.running(RunnerOptions(in_flight=80)):
                await w.until_empty()
                await w.enqueue(*(job(f"hangs{key}", n) for key in range(30) for n in range(5)))
                async with asyncio.timeout(10):
                    await begun.wait()  # each of them has a place
                await w.enqueue(*(job("well", n) for n in range(99)))
                async with asyncio.timeout(10):
                    await done.wait()
                assert not release.is_set()
                release.set()
                await w.until_empty()

    asyncio.run(story())


def test_a_dropped_key_leaves_nothing_behind(database_url: str) -> None:
    async def story() -> None:
        told: list[Any] = []

        async def discarded(tx: Any, payloads: Any) -> None:
            told.extend(payload["n"] for payload in payloads)

        async with world(database_url, kind(discarded=discarded)) as w:
            async with w.database.transaction() as tx:
                await w.keys.hold(tx, "k")
            await w.enqueue(*(job("k", n) for n in range(2500)))
            async with w.database.transaction() as tx:
                await w.keys.drop(tx, QUEUE, "k")
            async with w.running():
                await w.until_empty()
            assert Counter(told) == Counter(range(2500))
            async with w.database.autocommit() as tx:
                assert await tx.value(b"SELECT count(*) FROM job_keys") == 0

    asyncio.run(story())


def test_an_attempt_whose_worker_disappeared_is_told_to_the_next(database_url: str) -> None:
    async def story() -> None:
        lost = []

        async def perform(job: Job, _: Any) -> None:
            lost.append((job.lost, job.claimed_at))

        async with world(database_url, kind(perform)) as w:
            await w.enqueue(job("k"))
            doomed = LeaseStore(w.database, QUEUE, lease_seconds=0.0)
            [first] = (await doomed.claim(10)).jobs
            [second] = (await doomed.claim(10)).jobs
            async with w.running():
                await w.until_empty()
        assert first.lost is None
        assert second.lost == [first.claimed_at]
        assert lost == [([first.claimed_at, second.claimed_at], lost[0][1])]

    asyncio.run(story())


def test_a_plan_made_for_few_jobs_is_as_good_for_many(database_url: str) -> None:
    """It is kept, so it must not gather and sort what it could read in order, however little that is now."""

    def nodes(plan: Any) -> Iterator[Any]:
        yield plan
        for inner in plan.get("Plans", ()):
            yield from nodes(inner)

    async def story() -> None:
        async with world(database_url, kind()) as w:
            await w.enqueue(job("few"))
            async with w.database.transaction() as tx:
                await tx.execute(b"ANALYZE job_queue")
                [plan] = await tx.value(
                    b"EXPLAIN (FORMAT JSON) " + CLAIM, leases(w).parameters(10, UNDIVIDED, ())
                )
        scans = {
            node["Node Type"] for node in nodes(plan["Plan"]) if node.get("Relation Name") == "job_queue"
        }
        assert scans <= {"Index Scan", "Index Only Scan", "ModifyTable"}

    asyncio.run(story())


def test_a_stuck_order_costs_a_claim_one_step_however_many_follow(database_url: str) -> None:
    async def story() -> None:
        async with world(database_url, kind()) as w:
            await w.enqueue(job("k", order_key="stuck"), job("k", order_key="other"))
            async with w.database.transaction() as tx:
                await tx.execute(
                    b"UPDATE job_queue SET scheduled_at = now() + interval '1h' WHERE order_key = 'stuck'"
                )
                await tx.execute(
                    b"INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts, key, order_key)"
                    b" SELECT 'job_' || n, 'trial', 'trial.do', '{}', 3, 'k', 'stuck'"
                    b" FROM generate_series(1, 50000) AS n"
                )
                await tx.execute(b"ANALYZE job_queue")
            parameters = leases(w).parameters(10, UNDIVIDED, ())
            async with w.database.transaction() as tx:
                [plan] = await tx.value(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + CLAIM, parameters)
                assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 100
            [row] = [row for row in await w.rows() if row["status"] == "running"]
            assert row["order_key"] == "other"

    asyncio.run(story())
