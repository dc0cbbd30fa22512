"""Runbooks about processes that are missing or too large: each fault is caused, and each page followed to its end."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from rq.suspension import suspend

from tests.support.cli import ogel
from tests.support.night import ENDS, MENDED, QUIET, check_alerts, follow, raised, restart
from tests.support.process import ADMIN_KEY, Ogel, eventually
from tests.support.reading import Reading
from tests.support.receiver import Receiver


def test_a_queue_that_no_worker_serves(database_url: str, redis_url: str, tmp_path: Path) -> None:
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OGEL_ALERT_QUEUE_SECONDS": "1",
        **QUIET,
    }
    api = Ogel("api", "--with", "scheduler", log=tmp_path / "api.log", **settings)
    worker = Ogel("worker", "--all", log=tmp_path / "worker.log", **settings)
    with api, Receiver() as receiver, ExitStack() as beside:
        api.api.ok("POST", "/api/webhooks", {"url": receiver.url(), "events": ["order.*"]})
        events = [{"type": "order.created", "data": n} for n in range(12)]
        published = [each["id"] for each in api.api.ok("POST", "/api/events", events)]

        def over() -> dict[str, str]:
            """Nobody checks, so that the numbers of now decide."""
            checked = api.api.ok("GET", "/api/alerts/check")
            found = {each["subject"]: each["runbook"] for each in checked["items"] if each["is_over"]}
            return found if checked["status"] == "critical" else {}

        eventually(lambda: "webhooks" in over(), 20, "the queue to be stuck")
        assert set(over().values()) == {"docs/runbooks/queue-backlog.md"}

        def suspended() -> None:
            """The worker is there now; and then it does nothing all the same."""
            receiver.wait_for_ids(published, 30)
            with redis.Redis.from_url(redis_url) as store:
                suspend(store)
            eventually(lambda: "runner.suspended" in worker.log_text(), 20, "the worker to hear of it")
            later = [each["id"] for each in api.api.ok("POST", "/api/events", events)]
            doctor = ogel("doctor", **settings)
            assert (doctor.code, "suspended, by `rq suspend`" in doctor.out) == (1, True)
            assert not {*later} & receiver.ids().keys()
            published.extend(later)

        def served() -> None:
            receiver.wait_for_ids(published, 30)
            queues = lambda: api.api.ok("GET", "/api/queues")["items"]  # noqa: E731
            eventually(lambda: not any(each["pending"] for each in queues()), 30, "the queues to be empty")

        reading = Reading(
            before={
                "railway restart": lambda: beside.enter_context(worker),
                "rq resume": suspended,
                "ogel queues  # served": served,
                MENDED: lambda: check_alerts(api.api),
            },
            ends={**ENDS, "ogel doctor": 1},
        )
        said = follow("queue-backlog.md", reading, tmp_path, api)
        assert "scale us-west2=2 --service worker" in said


@pytest.mark.long
def test_a_process_that_is_too_large(database_url: str, redis_url: str, tmp_path: Path) -> None:
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OGEL_USAGE_FLUSH_SECONDS": "1",
        **QUIET,
    }
    log = tmp_path / "ogel.log"
    with Ogel("api", "--with", "worker,scheduler", log=log, OGEL_ALERT_MEMORY_MB="20", **settings) as ogel:

        def over() -> bool:
            items = ogel.api.ok("GET", "/api/alerts/check")["items"]
            return "process.memory" in [each["name"] for each in items if each["is_over"]]

        eventually(over, 20, "the process to say how large it is")
        check_alerts(ogel.api)
        assert raised(ogel.api) == {"process.memory": "docs/runbooks/process-memory.md"}

        def larger() -> None:
            restart(ogel, tmp_path, OGEL_ALERT_MEMORY_MB="2048")

        reading = Reading(
            before={"railway variable set OGEL_ALERT": larger, MENDED: lambda: check_alerts(ogel.api)},
            ends=ENDS,
            # Over HTTP: in their own process commands would go by the settings of their shell.
            environment={"OGEL_URL": f"http://localhost:{ogel.port}", "OGEL_KEY": ADMIN_KEY},
        )
        follow("process-memory.md", reading, tmp_path, ogel)
