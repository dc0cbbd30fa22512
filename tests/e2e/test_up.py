"""`ogel up` with servers of its own: when they die, and when it is told to stop at any moment."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from ogel.adapters.embedded import running_urls
from tests.support.embedded import END_SECONDS, left_running, running_pid, wait_ended
from tests.support.process import Client, Ogel, eventually


@dataclass
class Published:
    accepted: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)


@contextmanager
def publishing(api: Client) -> Iterator[Published]:
    """One event after the other, each once, while the block runs."""
    done, stop = Published(), threading.Event()

    def publish() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            event = {"id": f"steady-{number}", "type": "order.created", "data": {"n": number}}
            try:
                answer = api("POST", "/api/events", event)
            except (OSError, http.client.HTTPException) as error:
                done.answers[repr(error)] += 1
                continue
            done.answers[str(answer.status)] += 1
            if answer.status == 202:
                done.accepted.append(event["id"])  # type: ignore[arg-type]

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def test_servers_that_die_or_hang_are_missed_for_a_moment_only(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    settings = {"OGEL_DATA_DIR": str(data_dir), "OGEL_WEBHOOK_ALLOW_NETS": ""}
    with Ogel("up", fresh=True, log=tmp_path / "up.log", **settings) as ogel:
        here = {"url": "http://127.0.0.1:9/", "events": ["*"]}
        assert (
            ogel.api("POST", "/api/webhooks", here).status == 422
        )  # nothing is allowed, and nothing was chosen
        urls = running_urls(data_dir)
        with publishing(ogel.api) as published:

            def goes_on(what: str) -> None:
                before = len(published.accepted)
                eventually(lambda: len(published.accepted) > before + 5, 30, f"publishing after {what}")
                eventually(lambda: _status(ogel.api) == "healthy", 30, f"health after {what}")

            goes_on("the start")
            for server in ("postgres", "redis", "postgres"):
                pid = running_pid(data_dir, server)
                os.kill(pid, signal.SIGKILL)
                wait_ended(pid)
                goes_on(f"the death of {server}")
            os.kill(_session(urls[0] or ""), signal.SIGKILL)  # as the kernel does when memory is short
            goes_on("the death of a session")
            for server in ("postgres", "redis"):
                pid = running_pid(data_dir, server)
                os.kill(pid, signal.SIGSTOP)
                try:
                    ogel.api("GET", "/api/health")
                finally:
                    os.kill(pid, signal.SIGCONT)
                assert running_pid(data_dir, server) == pid
                goes_on(f"a pause of {server}")
        assert running_urls(data_dir) == urls
        assert set(published.answers) <= {"202", "503"}, published.answers
        for id in published.accepted:
            ogel.api.ok("GET", f"/api/events/{id}")
        metrics = ogel.api("GET", "/metrics").raw.decode()
        assert 'ogel_embedded_restarts_total{server="postgres"} 2.0' in metrics
        assert 'ogel_embedded_restarts_total{server="redis"} 1.0' in metrics
    assert left_running(data_dir) == []


def _status(api: Client) -> str:
    return str(api("GET", "/api/health").json["status"])


def _session(url: str) -> int:
    """The process of somebody's connection."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


# Seconds after the data directory was there, and so from the first steps to a suite that serves.
MOMENTS = (0.0, 0.2, 0.5, 1.0, 2.0)


@pytest.mark.parametrize("first", [True, False], ids=["first start", "later start"])
def test_ctrl_c_and_sigterm_end_a_start_at_any_moment(tmp_path: Path, first: bool) -> None:
    ogel = Ogel("up", fresh=True, log=tmp_path / "up.log")
    data_dir = tmp_path / "data"
    if not first:
        with Ogel("up", fresh=True, log=tmp_path / "made.log", OGEL_DATA_DIR=str(data_dir)):
            pass
    for number, moment in enumerate(MOMENTS if first else MOMENTS[::2]):
        asked = signal.SIGTERM if number % 2 else signal.SIGINT
        if first:
            data_dir = tmp_path / f"data-{number}"
        code, said = _interrupted(ogel, data_dir, asked, moment)
        assert code in ({0, 130} if asked == signal.SIGINT else {0}), said
        assert "Traceback" not in said
        assert "Errno" not in said
        assert left_running(data_dir) == []
    # Whatever the last one left can be used.
    with Ogel("up", fresh=True, log=tmp_path / "again.log", OGEL_DATA_DIR=str(data_dir)) as again:
        again.api.ok("POST", "/api/events", {"type": "order.created", "data": {}})


def _interrupted(ogel: Ogel, data_dir: Path, asked: signal.Signals, moment: float) -> tuple[int, str]:
    """As from a terminal, where the whole foreground group gets the signal. Exit code and output."""
    (data_dir / "ogel.lock").unlink(missing_ok=True)
    with subprocess.Popen(
        ogel.command,
        env={**ogel.environment, "OGEL_DATA_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            eventually(lambda: (data_dir / "ogel.lock").exists(), END_SECONDS, "the data directory")
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, asked)
            said, _ = process.communicate(timeout=END_SECONDS)
        finally:
            process.kill()
        return process.returncode, said
