"""Attempts that fail are over when they have failed: none waits, with its body, for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from prometheus_client import CollectorRegistry

from ogel.features.webhooks.secrets.keyring import KeyRing
from ogel.features.webhooks.sending.due import DueDelivery
from ogel.features.webhooks.sending.jobs import Deliver
from ogel.features.webhooks.sending.metrics import WebhookMetrics
from ogel.features.webhooks.sending.receiver import Receiver
from ogel.kernel.clock import utc_now
from ogel.kernel.event import Event
from ogel.runtime.egress import NO_HEADERS
from ogel.runtime.jobs.job import Job
from ogel.runtime.jobs.retry import RetryPolicy
from tests.support.egress_receiver import a_client

ATTEMPTS = 20
UNUSED: Any = None


class Unsigned:
    def sign(self, at: float, id: str, body: bytes) -> str:
        return "v1,"


def work_for(url: str, timeout_seconds: float) -> DueDelivery:
    keys = cast(KeyRing, Unsigned())
    receiver = Receiver("wh_1", 1, url, timeout_seconds, "full", None, "", keys, NO_HEADERS, b"[")
    return DueDelivery(
        "dlv_1", 0, utc_now(), False, False, False, Event("evt_1", "a.b", b"{}", None, utc_now()), receiver
    )


def job() -> Job:
    now = utc_now()
    return Job(
        "job_1", "webhooks.deliver", {"delivery": "dlv_1"}, 0, "wh_1", "", 1, 8, "lease", now, now, None
    )


@contextmanager
def garbage() -> Iterator[list[Any]]:
    """What only the collector would find of what was made in the block."""
    found: list[Any] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def left_by_attempts(url: str, timeout_seconds: float = 5.0) -> list[Any]:
    async def story() -> None:
        async with a_client() as client:
            deliver = Deliver(
                UNUSED,
                UNUSED,
                client,
                UNUSED,
                RetryPolicy([60.0]),
                UNUSED,
                WebhookMetrics(CollectorRegistry()),
                UNUSED,
            )
            for _ in range(ATTEMPTS):
                outcome = await deliver.perform(job(), work_for(url, timeout_seconds))
                assert outcome.verdict == "retry"

    with garbage() as found:
        asyncio.run(story())
    return [each for each in found if isinstance(each, BaseException | DueDelivery | Event)]


def test_refused_connections_leave_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        assert left_by_attempts(f"http://127.0.0.1:{taken.getsockname()[1]}/") == []


def test_receivers_that_do_not_answer_leave_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=ATTEMPTS + 1) as silent:
        assert left_by_attempts(f"http://127.0.0.1:{silent.getsockname()[1]}/", 0.05) == []
