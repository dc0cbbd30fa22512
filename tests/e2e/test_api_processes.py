"""`ogel api --processes N`: one port, N processes, and a parent that keeps them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import ADMIN_KEY, Ogel, Response, eventually

# A second is what a start takes; the machine that tests run on may be busy.
BACK_SECONDS = 30.0


@pytest.fixture
def pair(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Ogel]:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    ogel = Ogel("api", "--processes", "2", log=tmp_path / "pair.log", **servers)
    with ogel:
        eventually(lambda: _logged(ogel, "process.ready"), BACK_SECONDS, "both to be ready")
        yield ogel


def test_two_processes_answer_on_one_port(pair: Ogel) -> None:
    assert len(_pids(pair)) == 2
    assert pair.process is not None and pair.process.pid not in _pids(pair)
    assert _logged(pair, "process.ready")[0]["processes"] == 2
    assert {line["process"] for line in _logged(pair, "sibling.ready")} == {"1/2", "2/2"}
    _metrics_say_whose_they_are(pair)
    _nobody_else_may_share_the_port(pair)


def _metrics_say_whose_they_are(pair: Ogel) -> None:
    shown = [pair.api("GET", "/metrics").raw.decode() for _ in range(12)]
    lines = [line for text in shown for line in text.splitlines() if not line.startswith("#")]
    own = [line for line in lines if line.startswith("process_cpu_seconds_total")]
    assert own and all('process="1/2"' in line or 'process="2/2"' in line for line in own)
    assert not [line for line in lines if line.startswith("ogel_cluster_") and "/2" in line]


def _nobody_else_may_share_the_port(pair: Ogel) -> None:
    ended = _run(pair.environment, "--processes", "2")
    assert ended.returncode == 2
    assert ended.stderr.count("Cannot listen on '127.0.0.1'") == 1


def test_one_that_is_killed_comes_back_and_nobody_is_refused(pair: Ogel) -> None:
    victim = sorted(_pids(pair))[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: not _alive(victim), BACK_SECONDS, "it to be gone")
    began = time.monotonic()
    # Enough connections that some wait in the backlog of the one that died.
    statuses = [pair.api("GET", "/health/live").status for _ in range(40)]
    assert set(statuses) == {200}
    assert time.monotonic() - began < BACK_SECONDS
    eventually(lambda: len(_pids(pair) - {victim}) == 2, BACK_SECONDS, "a second process")
    (died,) = _logged(pair, "sibling.died")
    assert (died["pid"], died["exit_code"]) == (victim, -signal.SIGKILL)
    _one_is_replaced_in_place(pair)
    _they_end_when_their_parent_is_killed(pair)


def test_sigterm_lets_each_finish_what_it_has(pair: Ogel) -> None:
    """Publishes whose bodies are half sent when the signal comes."""
    assert pair.process is not None
    body = json.dumps({"type": "order.created", "data": {}}).encode()
    held = [_half_sent(pair.port, body) for _ in range(12)]
    pair.process.send_signal(signal.SIGTERM)
    eventually(lambda: len(_logged(pair, "process.stopping")) == 3, BACK_SECONDS, "all to be told")
    answers = [_finished(each, body) for each in held]
    assert {each.status for each in answers} == {202}
    assert pair.process.wait(BACK_SECONDS) == 0
    with pytest.raises(ConnectionRefusedError):
        pair.api("GET", "/health/live")


def _one_is_replaced_in_place(pair: Ogel) -> None:
    told = sorted(_pids(pair))[0]
    os.kill(told, signal.SIGTERM)
    while _alive(told):
        assert pair.api("GET", "/health/live").status == 200
    assert {pair.api("GET", "/health/live").status for _ in range(40)} == {200}
    eventually(lambda: len(_pids(pair) - {told}) == 2, BACK_SECONDS, "a second process")
    assert _logged(pair, "sibling.died")[-1]["exit_code"] == 0


def _they_end_when_their_parent_is_killed(pair: Ogel) -> None:
    pids = _pids(pair)
    pair.kill()
    eventually(lambda: not any(_alive(pid) for pid in pids), BACK_SECONDS, "the children to end")


def test_what_keeps_one_from_starting_is_said_once(tmp_path: Path) -> None:
    ogel = Ogel("api", log=tmp_path / "unused.log", DATABASE_URL="postgres://x@127.0.0.1:1/x", REDIS_URL="")
    ended = _run({**ogel.environment, "OGEL_CONNECT_SECONDS": "1"}, "--processes", "3")
    assert ended.returncode == 2, ended
    assert ended.stderr.count("ogel: ") == 1


@pytest.mark.parametrize("number", ["0", "65", "abc", ""])
def test_a_wrong_number_is_refused_by_the_name_of_its_option(tmp_path: Path, number: str) -> None:
    ended = _run(Ogel("api", log=tmp_path / "unused.log").environment, f"--processes={number}")
    assert ended.returncode == 2
    assert "--processes" in ended.stderr


@pytest.mark.parametrize("part", ["worker", "realtime,scheduler"])
def test_only_the_api_is_multiplied(tmp_path: Path, part: str) -> None:
    ended = _run(Ogel("api", log=tmp_path / "unused.log").environment, "--processes", "2", "--with", part)
    assert ended.returncode == 2
    assert "--processes multiplies the API alone" in ended.stderr


def _pids(ogel: Ogel) -> set[int]:
    return {ogel.api.ok("GET", "/api/metrics")["system"]["pid"] for _ in range(24)}


def _logged(ogel: Ogel, event: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in ogel.log_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["message"] == event]


def _half_sent(port: int, body: bytes) -> http.client.HTTPConnection:
    """The server waits for its other half."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BACK_SECONDS)
    connection.putrequest("POST", "/api/events")
    connection.putheader("authorization", f"Bearer {ADMIN_KEY}")
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(len(body)))
    connection.endheaders(body[:5])
    return connection


def _finished(connection: http.client.HTTPConnection, body: bytes) -> Response:
    connection.send(body[5:])
    response = connection.getresponse()
    try:
        return Response(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _run(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ogel", "api", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
