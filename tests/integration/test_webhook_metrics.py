"""What Prometheus is told: lags with all that a job waited for, depths that stay cheap, and all without a database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ogel.adapters.postgres import PoolOptions, make_pool
from ogel.features.audit.store import AuditStore
from ogel.features.keys.service import KeyService
from ogel.features.keys.store import KeyStore
from ogel.features.keys.uses import KeyUses
from ogel.features.keys.watch import KeyWatch
from ogel.features.observability.metrics import measures as measuring
from ogel.features.observability.metrics.measures import Measures
from ogel.kernel.ids import new_id
from ogel.kernel.principal import SYSTEM, Caller
from ogel.runtime.database.database import Database, DatabaseAway
from ogel.runtime.jobs import depths
from ogel.runtime.jobs.depths import Depths, QueueDepth
from ogel.runtime.jobs.job import Job, NewJob
from ogel.runtime.jobs.keys import Rate
from ogel.runtime.jobs.kind import JobKind
from ogel.runtime.jobs.metrics import JobMetrics
from ogel.runtime.jobs.runner import JobRunner, RunnerOptions
from tests.support.jobs import QUEUE, World, world
from tests.support.keys import make
from tests.support.process import Client, Ogel, eventually
from tests.support.receiver import Answer, Receiver, Request

WAIT = 0.4
RELEASING: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly
Throttle = Callable[[World], Awaitable[None]]


def metric(text: bytes, name: str, **labels: str) -> float:
    samples = [s for family in text_string_to_metric_families(text.decode()) for s in family.samples]
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


async def full(world: World) -> None:
    async with world.database.transaction() as tx:
        await world.keys.set(tx, "k", limit=1)


async def rated(world: World) -> None:
    async with world.database.transaction() as tx:
        await world.keys.set(tx, "k", rate=Rate(1 / WAIT, burst=1))


async def slowed(world: World) -> None:
    async with world.database.transaction() as tx:
        await world.keys.set(tx, "k")
        await world.keys.slow(tx, "k", WAIT)


async def tripped(world: World) -> None:
    async with world.database.transaction() as tx:
        await world.keys.set(tx, "k")
        await world.keys.trip(tx, "k", WAIT)


async def held(world: World) -> None:
    async with world.database.transaction() as tx:
        await world.keys.set(tx, "k")
        await world.keys.hold(tx, "k")

    async def release() -> None:
        async with world.database.transaction() as tx:
            await world.keys.release(tx, QUEUE, "k")

    asyncio.get_running_loop().call_later(WAIT, lambda: RELEASING.add(asyncio.create_task(release())))


@pytest.mark.parametrize("throttle", [full, rated, slowed, tripped, held])
def test_a_lag_counts_whatever_a_job_waited_for(database_url: str, throttle: Throttle) -> None:
    """Of two jobs, due at once, one waits at least WAIT."""
    registry = CollectorRegistry()

    async def perform(job: Job, _: object) -> None:
        if throttle is full:
            await asyncio.sleep(WAIT)

    async def story() -> None:
        kind = JobKind("trial.wait", QUEUE, perform)
        async with world(database_url, kind) as made:
            await throttle(made)
            await made.enqueue(NewJob(kind.name, {}, key="k"), NewJob(kind.name, {}, key="k"))
            runner = JobRunner(made.database, QUEUE, made.kinds, RunnerOptions(), JobMetrics(registry))
            made.notifier.serve({QUEUE: runner})
            stop = asyncio.Event()
            running = asyncio.create_task(runner.run(stop, 5))
            await made.until_empty()
            stop.set()
            await running

    asyncio.run(story())
    text = generate_latest(registry)
    assert metric(text, "ogel_job_lag_seconds_count", queue=QUEUE, priority="0") == 2
    # A clock of the database and one of ours.
    assert metric(text, "ogel_job_lag_seconds_sum", queue=QUEUE, priority="0") >= WAIT - 0.05


def test_a_job_whose_worker_disappeared_is_counted(database_url: str) -> None:
    registry = CollectorRegistry()

    async def perform(job: Job, _: object) -> None:
        pass

    async def story() -> None:
        kind = JobKind("trial.lost", QUEUE, perform)
        async with world(database_url, kind) as made:
            await made.enqueue(NewJob(kind.name, {}))
            with psycopg.connect(database_url) as connection:
                connection.execute(
                    "UPDATE job_queue SET status = 'running', attempts = 1, lease_id = 'lease_gone', "
                    "claimed_at = now() - interval '1 minute', leased_until = now() - interval '1 second'"
                )
            metrics = JobMetrics(registry)
            runner = JobRunner(made.database, QUEUE, made.kinds, RunnerOptions(), metrics)
            stop = asyncio.Event()
            running = asyncio.create_task(runner.run(stop, 5))
            await made.until_empty()
            stop.set()
            await running

    asyncio.run(story())
    assert metric(generate_latest(registry), "ogel_job_leases_lost_total", queue=QUEUE) == 1


def fill(database_url: str, count: int) -> None:
    """A tenth dead, a tenth of a held key; the oldest that is not held has waited 100 s."""
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO job_keys (key, held) VALUES ('held', true), ('free', false)")
        connection.execute(
            "INSERT INTO job_queue (id, queue_name, kind, payload, key, max_attempts, status, scheduled_at) "
            "SELECT 'job_' || n, 'trial', 'x', '{}', CASE WHEN n %% 10 = 1 THEN 'held' ELSE 'free' END, 9, "
            "CASE WHEN n %% 10 = 2 THEN 'dead' ELSE 'pending' END, "
            "now() - CASE WHEN n %% 10 = 1 THEN interval '1000 s' ELSE interval '100 s' END "
            "FROM generate_series(1, %s) AS n",
            (count,),
        )


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[Database]:
    async with make_pool(database_url, PoolOptions(1, 2, 30, 1, 10)) as pool:
        yield Database(pool, lambda _: None)


async def asked(database_url: str) -> dict[str, QueueDepth]:
    async with connected(database_url) as database:
        return await Depths(database, ["trial", "empty"]).all()


def test_depths_are_exact_while_they_are_small(database_url: str) -> None:
    fill(database_url, 1000)
    found = asyncio.run(asked(database_url))
    assert found["empty"] == QueueDepth(0, 0, 0, 0, 0.0)
    trial = found["trial"]
    assert (trial.pending, trial.held, trial.dead, trial.running) == (800, 100, 100, 0)
    assert 100 <= trial.oldest_seconds < 160


def test_depths_are_estimates_beyond(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depths, "MOST_COUNTED", 500)
    monkeypatch.setattr(depths, "SAMPLE_PAGES", 100)
    fill(database_url, 20_000)
    trial = asyncio.run(asked(database_url))["trial"]
    for found, true in ((trial.pending, 16_000), (trial.held, 2000), (trial.dead, 2000)):
        assert 0.5 * true < found < 1.7 * true
    assert 100 <= trial.oldest_seconds < 160


def test_a_scrape_asks_the_database_seldom_and_never_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = CollectorRegistry()
    asked = []
    answers = asyncio.Event()

    async def measure() -> None:
        asked.append(True)
        await answers.wait()
        if len(asked) > 1:
            raise DatabaseAway("The database did not answer.")

    async def story() -> None:
        measures = Measures(lambda: [measure], registry)
        together = [asyncio.create_task(measures.refresh()) for _ in range(5)]
        await asyncio.sleep(0)
        answers.set()
        await asyncio.gather(*together)
        assert len(asked) == 1
        await measures.refresh()
        assert len(asked) == 1  # asked just now
        assert metric(generate_latest(registry), "ogel_database_numbers_age_seconds") < 60
        monkeypatch.setattr(measuring, "EVERY_SECONDS", 0.0)
        failing = Measures(lambda: [measure], CollectorRegistry())
        await failing.refresh()
        await failing.refresh()
        assert len(asked) == 3

    asyncio.run(story())


def key_service(database: Database) -> KeyService:
    store, audit = KeyStore(), AuditStore()
    watch = KeyWatch(database, store)
    return KeyService(
        database,
        store,
        audit,
        KeyUses(database, audit),
        watch,
        None,
        None,
        lambda: ["events:write", "metrics:read"],
    )


def test_a_known_key_reads_metrics_and_nothing_else_while_the_database_is_away(database_url: str) -> None:
    async def story() -> None:
        async with connected(database_url) as database:
            keys = key_service(database)
            caller = Caller(SYSTEM, new_id("req"))
            _, reader = await make(keys, caller, "reader", ["metrics:read", "events:write"])
            _, other = await make(keys, caller, "other", ["events:write"])
            gone_id, gone = await make(keys, caller, "gone", ["*"])
            for key in (reader, other, gone):
                assert await keys.authenticate(key, caller) is not None
            await keys.revoke(caller, gone_id)
            assert await keys.authenticate(gone, caller) is None
        known = await keys.authenticate(reader, caller)
        assert known is not None
        assert known.may("metrics:read") and not known.may("events:write")
        for key in (other, gone, "ogel_never_seen"):
            with pytest.raises(DatabaseAway):
                await keys.authenticate(key, caller)

    asyncio.run(story())


def scraped(api: Client) -> bytes:
    return api("GET", "/metrics").raw


def test_deliveries_in_numbers(tmp_path: Path, database_url: str, redis_url: str) -> None:
    def answer(request: Request) -> Answer:
        return Answer(204 if request.path == "/well" else 500)

    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_WEBHOOK_RETRY_DELAYS": "0.1"}
    servers["OGEL_WEBHOOK_PROBE_SECONDS"] = "1"
    with (
        Receiver(answer) as receiver,
        Ogel("api", "--with", "worker", log=tmp_path / "ogel.log", **servers) as ogel,
    ):
        api = ogel.api
        rate = {"per_second": 4, "burst": 1}
        api.ok(
            "POST", "/api/webhooks", {"url": receiver.url("/well"), "events": ["well.*"], "rate_limit": rate}
        )
        api.ok("POST", "/api/webhooks", {"url": receiver.url("/ill"), "events": ["ill.*"]})
        events = [{"id": f"well-{n}", "type": "well.a", "data": n} for n in range(4)]
        for _ in range(2):
            api.ok("POST", "/api/events", events)
        receiver.wait_for_ids([event["id"] for event in events], 15)
        eventually(
            lambda: metric(scraped(api), "ogel_webhook_lag_seconds_count", priority="first") == 4, 5, "lags"
        )
        text = scraped(api)
        # 0, 1/4, 2/4 and 3/4 s behind their publishing.
        assert metric(text, "ogel_webhook_lag_seconds_sum", priority="first") >= 1.4
        assert metric(text, "ogel_events_published_total", id="new") == 4
        assert metric(text, "ogel_events_published_total", id="seen") == 4
        assert metric(text, "ogel_cluster_webhook_breakers", state="open") == 0
        api.ok("POST", "/api/events", [{"type": "ill.a", "data": n} for n in range(10)])
        eventually(
            lambda: metric(scraped(api), "ogel_cluster_webhook_breakers", state="open") == 1,
            15,
            "the breaker to show",
        )
        eventually(
            lambda: metric(scraped(api), "ogel_webhook_lag_seconds_count", priority="retry") >= 1,
            15,
            "a retry",
        )
