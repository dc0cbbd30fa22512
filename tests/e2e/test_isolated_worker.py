"""A worker with isolated jobs, and its end: nothing it started goes on without it."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg.types.json import Jsonb

from ogel.adapters.rq_horses.keys import QUEUE_PREFIX
from tests.support.isolated import is_running, lives, parent_of
from tests.support.process import Ogel, eventually
from tests.support.trial_process import ISOLATED, MODULE

LIMIT_SECONDS = 30.0
LEASE_SECONDS = 3.0


@pytest.fixture
def worker(tmp_path: Path, database_url: str, redis_url: str) -> Ogel:
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OGEL_LEASE_SECONDS": str(LEASE_SECONDS),
        "OGEL_DRAIN_SECONDS": "1",
    }
    return Ogel("worker", ISOLATED, log=tmp_path / "worker.log", module=MODULE, **environment)


@pytest.fixture
def notes(tmp_path: Path, database_url: str) -> Path:
    """Where one job that holds notes that it is alive."""
    directory = tmp_path / "notes"
    directory.mkdir()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO job_queue (id, queue_name, kind, payload, max_attempts) VALUES (%s, %s, %s, %s, 8)",
            ("job_1", ISOLATED, "trial.hold", Jsonb({"directory": str(directory)})),
        )
    return directory


def attempts(database_url: str) -> int | None:
    """None when the job is done."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute("SELECT attempts FROM job_queue").fetchone()
    return row[0] if row else None


def helpers_in(redis_url: str) -> list[str]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as connection:
        return connection.keys(f"*{QUEUE_PREFIX}*")


def test_kill_9_of_the_worker_ends_its_horse_before_the_next_attempt(
    worker: Ogel, notes: Path, database_url: str, redis_url: str
) -> None:
    worker.start()
    [horse] = eventually(lambda: lives(notes), LIMIT_SECONDS, "the job to begin")
    helper = parent_of(horse)
    worker.kill()
    killed_at = time.monotonic()
    eventually(lambda: not is_running(horse) and not is_running(helper), LEASE_SECONDS, "both to end")
    assert lives(notes)[horse][1] < killed_at + LEASE_SECONDS / 2
    eventually(lambda: not helpers_in(redis_url), LIMIT_SECONDS, "Redis to know nothing of them")
    with worker:
        eventually(lambda: len(lives(notes)) == 2, LIMIT_SECONDS, "the next attempt to begin")
        (_, last_seen), (began, _) = sorted(lives(notes).values())
        assert last_seen < began
        assert attempts(database_url) == 2
        (notes / "end").touch()
        eventually(lambda: attempts(database_url) is None, LIMIT_SECONDS, "the job to be done")


def test_a_worker_that_is_told_to_stop_ends_its_horse_and_gives_the_job_back(
    worker: Ogel, notes: Path, database_url: str, redis_url: str
) -> None:
    worker.start()
    [horse] = eventually(lambda: lives(notes), LIMIT_SECONDS, "the job to begin")
    helper = parent_of(horse)
    assert worker.terminate() == 0
    assert not is_running(horse)
    assert not is_running(helper)
    assert attempts(database_url) == 0
    assert helpers_in(redis_url) == []


def test_an_idle_helper_does_not_outlive_its_worker(
    worker: Ogel, notes: Path, database_url: str, redis_url: str
) -> None:
    worker.start()
    [horse] = eventually(lambda: lives(notes), LIMIT_SECONDS, "the job to begin")
    helper = parent_of(horse)
    (notes / "end").touch()
    eventually(lambda: attempts(database_url) is None, LIMIT_SECONDS, "the job to be done")
    assert is_running(helper)
    worker.kill()
    eventually(lambda: not is_running(helper), LIMIT_SECONDS, "the helper to end")
    eventually(lambda: not helpers_in(redis_url), LIMIT_SECONDS, "Redis to know nothing of it")
    assert worker.process is not None
    assert worker.process.returncode == -signal.SIGKILL
