"""Errors that are logged reach Sentry: once, with their traceback, without the values beside them."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from typing import Any

from tests.support.receiver import Receiver

PROGRAM = """
import logging, sys, structlog
from ogel.adapters.sentry import start_sentry
from ogel.runtime.log.setup import configure_logging

from ogel.runtime.secrets.scrub import Scrubber

scrub = Scrubber(["swordfish-1"])
configure_logging("info", scrub=scrub)
start_sentry(sys.argv[1], scrub)
log = structlog.get_logger("ogel.test")
log.info("nothing.wrong", url="http://hunter2")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("job.failed", job="job_1", url="http://hunter2")
log.error("http.error", exc_info=KeyError("lost: redis://:swordfish-1@h"), path="/api/events")
log.warning("redis.away", error="it said swordfish%2D1")
log.error("just.words", attempts=3)
logging.getLogger("psycopg.pool").error("a library's %s", "own")
"""


def test_logged_errors_are_reported() -> None:
    with Receiver() as receiver:
        dsn = f"http://key@127.0.0.1:{receiver.port}/7"
        finished = subprocess.run(
            [sys.executable, "-c", PROGRAM, dsn], capture_output=True, text=True, timeout=60, check=True
        )
        requests = receiver.wait_for_count(4)
    assert {request.path for request in requests} == {"/api/7/envelope/"}
    events = [event(request.body) for request in requests]
    found = {each["tags"]["event"]: each for each in events}
    assert set(found) == {"job.failed", "http.error", "just.words", "a library's own"}
    assert found["job.failed"]["exception"]["values"][0]["type"] == "ZeroDivisionError"
    assert found["job.failed"]["exception"]["values"][0]["stacktrace"]["frames"]
    assert found["job.failed"]["tags"]["job"] == "job_1"
    assert found["http.error"]["exception"]["values"][0]["type"] == "KeyError"
    assert found["just.words"]["message"] == "just.words"
    assert found["a library's own"]["tags"]["logger"] == "psycopg.pool"
    assert all(each["release"].startswith("ogel@") for each in events)
    assert "hunter2" not in json.dumps(events)
    assert "hunter2" in finished.stdout  # our own log keeps it
    assert "swordfish" not in json.dumps(events) + finished.stdout
    assert '"error": "it said ****"' in finished.stdout
    assert finished.stderr == ""


def event(envelope: bytes) -> Any:
    """The one event of a Sentry envelope: a line of headers, then a header and a payload per item."""
    lines = (gzip.decompress(envelope) if envelope[:2] == b"\x1f\x8b" else envelope).split(b"\n")
    assert json.loads(lines[1])["type"] == "event"
    return json.loads(lines[2])
