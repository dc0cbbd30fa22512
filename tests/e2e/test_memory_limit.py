"""OGEL_WORKER_MAX_MB: a worker that has grown puts its work down and begins anew, as the same process."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.memory import resident_bytes
from tests.support.process import Ogel, eventually
from tests.support.trial_process import GROWING, MODULE

LIMIT_SECONDS = 40.0
# The first eight are too much for the limit, the other four are not.
JOBS, JOB_BYTES, JOB_SECONDS = 12, 12_000_000, 0.7
LIMIT_MB = 150


@pytest.fixture
def environment(database_url: str, redis_url: str) -> dict[str, str]:
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OGEL_WORKER_MAX_MB": str(LIMIT_MB),
        "OGEL_WORKER_IN_FLIGHT": "8",
    }


def enqueue(database_url: str, notes: Path, jobs: int = JOBS, seconds: float = JOB_SECONDS) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts) VALUES (%s, %s, 'trial.grow', %s, 1)",
            [
                (
                    f"job_{n}",
                    GROWING,
                    Jsonb({"n": n, "bytes": JOB_BYTES, "seconds": seconds, "notes": str(notes)}),
                )
                for n in range(jobs)
            ],
        )


def is_empty(database_url: str) -> bool:
    with psycopg.connect(database_url, autocommit=True) as connection:
        return connection.execute("SELECT FROM job_queue").fetchone() is None


def logged(worker: Ogel, event: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in worker.log_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line["message"] == event]


def test_it_restarts_in_place_and_every_job_is_done_once(
    tmp_path: Path, database_url: str, environment: dict[str, str]
) -> None:
    notes = tmp_path / "notes"
    enqueue(database_url, notes)
    with Ogel(
        "worker", GROWING, log=tmp_path / "worker.log", module=MODULE, fresh=True, **environment
    ) as worker:
        assert worker.process is not None
        pid = worker.process.pid
        eventually(lambda: is_empty(database_url), LIMIT_SECONDS, "all jobs to be done")
        assert sorted(map(int, notes.read_text().split())) == list(range(JOBS))
        [restart] = logged(worker, "worker.restarting")
        assert restart["resident_mb"] > restart["limit_mb"] == LIMIT_MB
        assert not logged(worker, "runner.gave_back")
        assert len(logged(worker, "process.ready")) == 2
        assert worker.api("GET", "/health/ready").status == 200
        assert worker.process.poll() is None
        assert resident_bytes(pid) < LIMIT_MB * 1_000_000


def test_while_it_drains_it_answers_that_it_is_not_ready(
    tmp_path: Path, database_url: str, environment: dict[str, str]
) -> None:
    """The API beside the worker goes on meanwhile; and who is told to stop then, stops."""
    notes = tmp_path / "notes"
    both = ("api", "--with", "worker")
    with Ogel(
        *both, log=tmp_path / "ogel.log", module=MODULE, fresh=True, OGEL_DRAIN_SECONDS="2", **environment
    ) as ogel:
        # Not before it was seen to be ready: it is not for long.
        enqueue(database_url, notes, jobs=16, seconds=30)
        eventually(lambda: ogel.api("GET", "/health/ready").status == 503, LIMIT_SECONDS, "it to be unready")
        assert logged(ogel, "worker.restarting")
        unready = ogel.api("GET", "/health/ready").json
        assert unready["checks"] == {"postgres": True, "redis": True, "memory": False}
        assert ogel.api("GET", "/api/webhooks").status == 200
        assert ogel.process is not None
        ogel.process.send_signal(signal.SIGTERM)
        assert ogel.process.wait(LIMIT_SECONDS) == 0
    assert len(logged(ogel, "process.ready")) == 1
    with psycopg.connect(database_url, autocommit=True) as connection:
        waiting = connection.execute("SELECT count(*) FROM job_queue WHERE attempts = 0").fetchone()
    assert waiting == (16,)


def test_a_limit_below_what_it_needs_is_said_and_not_kept(
    tmp_path: Path, database_url: str, environment: dict[str, str]
) -> None:
    environment["OGEL_WORKER_MAX_MB"] = "20"
    enqueue(database_url, tmp_path / "notes", jobs=1)
    with Ogel(
        "worker", GROWING, log=tmp_path / "worker.log", module=MODULE, fresh=True, **environment
    ) as worker:
        eventually(lambda: is_empty(database_url), LIMIT_SECONDS, "the job to be done")
        [said] = logged(worker, "worker.memory_limit_too_low")
        assert said["limit_mb"] == 20 < said["idle_mb"]
        assert worker.api("GET", "/health/ready").status == 200
    assert not logged(worker, "worker.restarting")
