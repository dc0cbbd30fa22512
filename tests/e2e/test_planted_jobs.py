"""Jobs planted in Redis, by somebody who can write to it: nobody runs them, and everything goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg.types.json import Jsonb
from rq import Queue

from ogel.adapters.rq_bell.ring import send
from ogel.adapters.rq_horses.keys import QUEUE_PREFIX
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.runtime.realtime.message import pack
from ogel.runtime.realtime.publication import PUBLICATIONS, Publication, packed
from tests.support.isolated import lives
from tests.support.process import Ogel, eventually
from tests.support.redis_attack import jobs, plant
from tests.support.trial_process import ISOLATED, MODULE

LIMIT_SECONDS = 30.0
SECONDS = 0.05
ENTRIES = "ogel:scheduler:scheduled_jobs"


def hold(database_url: str, id: str, notes: Path) -> None:
    """A job that notes in `notes` that it was performed."""
    notes.mkdir(exist_ok=True)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts) VALUES (%s, %s, %s, %s, 8)",
            (id, ISOLATED, "trial.hold", Jsonb({"directory": str(notes), "seconds": SECONDS})),
        )


def jobs_left(database_url: str) -> int:
    with psycopg.connect(database_url, autocommit=True) as connection:
        [count] = connection.execute(
            "SELECT count(*) FROM job_queue WHERE queue_name = %s", (ISOLATED,)
        ).fetchone() or (0,)
    return count


def test_what_is_planted_in_redis_is_not_run_and_stops_nobody(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    canary, stolen, notes = tmp_path / "canary", tmp_path / "stolen", tmp_path / "notes"
    stolen.mkdir()
    ogel = Ogel(
        *("api", "--with", "worker,scheduler,realtime"),
        log=tmp_path / "ogel.log",
        module=MODULE,
        DATABASE_URL=database_url,
        REDIS_URL=redis_url,
    )
    with ogel, redis.Redis.from_url(redis_url) as store:
        hold(database_url, "job_1", notes)
        send(store, [ISOLATED])
        eventually(lambda: not jobs_left(database_url), LIMIT_SECONDS, "the first job to be done")
        names = [key.decode().removeprefix("rq:worker:") for key in store.smembers("rq:workers")]
        [helper] = [name for name in names if name.startswith(QUEUE_PREFIX)]
        [worker] = [name for name in names if name != helper]
        served = store.hget(f"rq:worker:{worker}", "queues").decode().split(",")
        assert ISOLATED in served
        eventually(lambda: store.zcard(ENTRIES), LIMIT_SECONDS, "the clock to have its entries")
        entries = [id.decode() for id in store.zrange(ENTRIES, 0, -1)]
        planted = jobs(canary, {"directory": str(stolen), "seconds": SECONDS}, "trial.hold")
        plant(store, planted, [*served, helper], [worker, helper], entries)
        event = Event("evt_1", "platform.alert.raised", b"{}", None, utc_now())
        forged = Publication("$ogel:events", "e", 1, utc_now(), pack(event), event=event.type)
        assert store.publish(PUBLICATIONS, packed(forged)) == 1
        eventually(lambda: "realtime.not_signed" in ogel.log_text(), LIMIT_SECONDS, "a refusal in the log")

        def taken() -> bool:
            """Off every list that somebody reads, the helper's and the clock's included."""
            waiting: Any = [store.llen(f"rq:queue:{queue}") for queue in [*served, helper]]
            return not sum(waiting) and not store.zcount(ENTRIES, "-inf", 1)

        eventually(taken, LIMIT_SECONDS, "everything planted to be taken")
        hold(database_url, "job_2", notes)
        send(store, [ISOLATED])
        eventually(lambda: not jobs_left(database_url), LIMIT_SECONDS, "the next job to be done")
        eventually(lambda: not store.llen(f"rq:queue:{ISOLATED}"), LIMIT_SECONDS, "the ring to be heard")
        eventually(lambda: set(entries) <= ids(store), LIMIT_SECONDS, "the clock to have its entries")
        names_now = [key.decode(errors="replace") for key in store.smembers("rq:workers")]
        assert {f"rq:worker:{worker}", f"rq:worker:{helper}"} <= set(names_now), "somebody was started anew"
        assert len(lives(notes)) == 2
        listed = ogel.api.ok("GET", "/api/workers")["items"]
        assert {worker, helper} <= {each["name"] for each in listed}
        assert Queue("trial", connection=store).count == 0
    assert not canary.exists()
    assert lives(stolen) == {}
    for trouble in ("Traceback", "clock.failed", "bell_listener.failed", "isolated.helper_lost"):
        assert trouble not in ogel.log_text()


def ids(store: redis.Redis) -> set[str]:
    return {id.decode(errors="replace") for id in store.zrange(ENTRIES, 0, -1)}
