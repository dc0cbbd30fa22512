"""A server that hangs: the kernel still takes what it is sent, and nobody reads it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import redis

from tests.support.isolated import parent_of


@contextmanager
def hanging_postgres(url: str) -> Iterator[None]:
    """It, and every session of it, while the block runs."""
    with psycopg.connect(url) as connection:
        postmaster = parent_of(connection.info.backend_pid)
    with _stopped([postmaster]), _stopped(_children(postmaster)):
        yield


@contextmanager
def hanging_redis(url: str) -> Iterator[None]:
    with redis.Redis.from_url(url) as client:
        pid = int(client.info("server")["process_id"])
    with _stopped([pid]):
        yield


@contextmanager
def _stopped(pids: Sequence[int]) -> Iterator[None]:
    _tell(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _tell(pids, signal.SIGCONT)


def _tell(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # a session that was just ending
            os.kill(pid, number)


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
