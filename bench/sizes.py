"""Sizes: what one large publish costs others, and what many endpoints and many waiting jobs cost each request."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from urllib.request import Request, urlopen

import psycopg
import uvloop
from psycopg import sql

from bench.figures import Figure, latencies, quantile
from bench.hammer import Hammering
from bench.load import Call, in_another_process
from bench.world import Machine, Trial, cpu_of_tree, create_webhook, pid_of, publish
from tests.support.process import ADMIN_KEY, Ogel

BIG_EVENTS, BIG_ENDPOINTS, QUICK_ENDPOINTS = 500, 200, 20
OTHERS_PER_SECOND = 50.0
FEW_ENDPOINTS, MANY_ENDPOINTS, QUICK_MANY = 100, 100_000, 5_000
WAITING, QUICK_WAITING = 300_000, 20_000
LOOKS = 20
BIG_SECONDS = 180.0


def measure(trial: Trial) -> Iterator[Figure]:
    seconds = 2.0 if trial.quick else 8.0
    with trial.machine() as here, here.ogel("api") as api:
        yield from _large_publish(here, api, seconds, QUICK_ENDPOINTS if trial.quick else BIG_ENDPOINTS)
    with trial.machine() as here, here.ogel("api") as api:
        yield from _many_endpoints(here, api, seconds / 2, QUICK_MANY if trial.quick else MANY_ENDPOINTS)
        yield from _many_jobs(here, api, QUICK_WAITING if trial.quick else WAITING)


def _large_publish(here: Machine, api: Ogel, seconds: float, endpoints: int) -> Iterator[Figure]:
    """Nothing is delivered: the endpoints are there to be written for."""
    _add_endpoints(here, create_webhook(api, 9, "big.*")["id"], endpoints - 1)
    alone = _waits(uvloop.run(in_another_process(api.port, OTHERS_PER_SECOND, seconds)))
    others_are_done = Event()
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(lambda: list(_published_big(api, others_are_done)))
        try:
            others = uvloop.run(in_another_process(api.port, OTHERS_PER_SECOND, seconds))
        finally:
            others_are_done.set()
        spans = publishing.result()
    calls = [call for call in others if _is_within(call, spans)]
    name = f"{BIG_EVENTS} events to {endpoints} endpoints each"
    yield Figure(f"{name}, published in", statistics.median(end - began for began, end in spans), "s")
    yield from latencies("another publisher alone", alone)
    beside = _waits(calls)
    yield from latencies("another publisher meanwhile", beside)
    ratio = quantile(sorted(beside), 0.99) / quantile(sorted(alone), 0.99)
    yield Figure("another publisher's p99, meanwhile / alone", ratio, "x", at_most=1.2)


def _published_big(api: Ogel, enough: Event) -> Iterator[tuple[float, float]]:
    """One after the other; when each began and ended. It has longer than the usual client gives it."""
    batch = json.dumps([{"type": "big.happened", "data": {"n": n}} for n in range(BIG_EVENTS)]).encode()
    head = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}
    request = Request(f"http://127.0.0.1:{api.port}/api/events", batch, head)
    while not enough.is_set():
        began = time.monotonic()
        with urlopen(request, timeout=BIG_SECONDS) as answer:
            answer.read()
        yield began, time.monotonic()


def _is_within(call: Call, spans: list[tuple[float, float]]) -> bool:
    return any(call.asked < end and call.answered > began for began, end in spans)


def _waits(calls: list[Call]) -> list[float]:
    return [call.answered - call.asked for call in calls]


def _many_endpoints(here: Machine, api: Ogel, seconds: float, many: int) -> Iterator[Figure]:
    """One publisher, so that nothing is shared; processor time of the API and of Postgres."""
    template = create_webhook(api, 9, "never0.*")["id"]
    costs = []
    for endpoints, more in ((FEW_ENDPOINTS, FEW_ENDPOINTS - 1), (many, many - FEW_ENDPOINTS)):
        _add_endpoints(here, template, more)
        pids = [pid_of(api), here.server_pids["postgres"]]
        load = Hammering.start(
            api.port, "/api/events", ADMIN_KEY, seconds=seconds, publish=True, connections=1
        )
        before = sum(map(cpu_of_tree, pids))
        done = load.result()
        costs.append((sum(map(cpu_of_tree, pids)) - before) / len(done.waits))
        if done.failed:
            raise RuntimeError(f"publishing beside {endpoints} endpoints: {done.said}")
        name = f"publish one, {endpoints:,} endpoints that want others"
        yield from latencies(name, done.waits)
        yield Figure(f"{name}, CPU", costs[-1] * 1e6, "µs")
    few, of_many = costs
    yield Figure(f"the CPU of {many:,} / {FEW_ENDPOINTS}", of_many / few, "x", at_most=2)


def _many_jobs(here: Machine, api: Ogel, waiting: int) -> Iterator[Figure]:
    create_webhook(api, 9, "bench.*")
    publish(api, 1)
    with psycopg.connect(here.database_url, autocommit=True) as connection:
        columns = _columns(connection, "job_queue")
        connection.execute(
            sql.SQL(
                "INSERT INTO job_queue (id, {columns}) SELECT j.id || '_' || n, {of_job} "
                "FROM (SELECT * FROM job_queue WHERE queue_name = 'webhooks' LIMIT 1) AS j, generate_series(1, %s) AS n"
            ).format(columns=_joined(columns), of_job=_joined(columns, "j")),
            (waiting,),
        )
        connection.execute("VACUUM ANALYZE job_queue")
    took = []
    for _ in range(LOOKS):
        began = time.monotonic()
        found = api.api.ok("GET", "/api/jobs?queue=webhooks")
        took.append(time.monotonic() - began)
    assert found["items"], "no jobs are listed"
    yield from latencies(f"GET /api/jobs?queue= with {waiting:,} waiting", took)


def _add_endpoints(here: Machine, template: str, more: int) -> None:
    """Copies that want events of other names: `never0.*` becomes `never1_1.*` and so on, others stay as they are."""
    with psycopg.connect(here.database_url, autocommit=True) as connection:
        columns = _columns(connection, "webhook_endpoints")
        run = connection.execute("SELECT count(*) FROM webhook_endpoints").fetchone()
        connection.execute(
            sql.SQL(
                "INSERT INTO webhook_endpoints (id, {columns}) SELECT w.id || '_' || {run} || '_' || n, {of_copy} "
                "FROM webhook_endpoints AS w, generate_series(1, {more}) AS n, "
                "LATERAL jsonb_populate_record(w, replace(jsonb_build_object("
                "'event_globs', w.event_globs, 'event_likes', w.event_likes)::text, "
                "'never0', 'never' || {run} || '-' || n)::jsonb) AS copy WHERE w.id = {template}"
            ).format(
                columns=_joined(columns),
                of_copy=_joined(columns, "copy"),
                run=sql.Literal(str(run[0] if run else 0)),
                more=sql.Literal(more),
                template=sql.Literal(template),
            )
        )
        connection.execute("VACUUM ANALYZE webhook_endpoints")


def _columns(connection: psycopg.Connection[tuple[object, ...]], table: str) -> list[str]:
    """All that can be written, save the id: tables grow columns from version to version."""
    rows = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s "
        "AND table_schema = ANY (current_schemas(false)) "
        "AND is_generated = 'NEVER' AND is_identity = 'NO' AND column_name <> 'id'",
        (table,),
    ).fetchall()
    return [str(name) for (name,) in rows]


def _joined(columns: list[str], table: str | None = None) -> sql.Composed:
    names = [sql.Identifier(table, name) if table else sql.Identifier(name) for name in columns]
    return sql.SQL(", ").join(names)
