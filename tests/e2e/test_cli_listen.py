"""`ogel listen` and `ogel trigger`, as a developer uses them: against a suite elsewhere, for a program here."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tests.support.certificates import make_certificate
from tests.support.cli import ogel
from tests.support.contract import settled
from tests.support.egress_tls import serving
from tests.support.process import ADMIN_KEY, Client, free_port
from tests.support.receiver import Answer, Receiver

ENVIRONMENT = {"OGEL_WEBHOOK_RETRY_DELAYS": "0.1,0.1,0.1"}
WAIT_SECONDS = 20
TYPES = iter(f"laptop.{n}" for n in range(1000))


@pytest.fixture
def type() -> str:
    return next(TYPES)


class TlsReceiver(Receiver):
    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__()
        self._context = context

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]


class Laptop:
    """`ogel listen --json`, from its first line on."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.ready = self.line()

    def line(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def end(self, by: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(by)
        _, err = self.process.communicate(timeout=WAIT_SECONDS)
        return self.process.returncode, err


@contextmanager
def laptop(api: Client, *arguments: str) -> Iterator[Laptop]:
    environment = {**os.environ, "OGEL_URL": f"http://127.0.0.1:{api.port}", "OGEL_KEY": ADMIN_KEY}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-m", "ogel", "listen", "--json", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        here = Laptop(process)
        yield here
        if process.poll() is None:
            here.end()
    finally:
        process.kill()
        process.communicate()


def trigger(api: Client, *arguments: str) -> Any:
    told = ogel("trigger", "--json", *arguments, OGEL_URL=f"http://127.0.0.1:{api.port}", OGEL_KEY=ADMIN_KEY)
    assert told.code == 0, told.err
    return json.loads(told.out)


def publish(api: Client, type: str, data: Any = None) -> str:
    id: str = api.ok("POST", "/api/events", {"type": type, "data": data})["id"]
    return id


def test_what_is_triggered_arrives_here_signed_and_is_logged_there(api: Client, type: str) -> None:
    with (
        Receiver(lambda _: Answer(200, b"thanks")) as program,
        laptop(
            api, "--forward-to", f"localhost:{program.port}/hook", "--events", type, "--header", "X-Here: 1"
        ) as here,
    ):
        assert here.ready["url"] == f"http://localhost:{program.port}/hook"
        event = trigger(api, type, "--data", '{"total": 1.10}', "--set", "customer.name=Ann", "--set", "n=5")
        assert event["deliveries"] == 1
        said = here.line()
        assert (said["event"], said["type"], said["status"], said["error"]) == (event["id"], type, 200, None)
        [request] = program.requests
        assert request.headers["x-here"] == "1"
        Webhook(here.ready["secret"]).verify(request.body, dict(request.headers))
        assert json.loads(request.body)["data"] == {"total": 1.1, "customer": {"name": "Ann"}, "n": 5}
        [attempt] = settled(api, event["id"], "delivered")["log"]
        assert (attempt["response_status"], attempt["response_body"]) == (200, "thanks")
        code, err = here.end()
    assert (code, err.strip()) == (130, "")
    assert api("GET", f"/api/webhooks/{here.ready['webhook']}").status == 404


def test_a_program_that_fails_is_asked_again_and_slow_ones_hold_up_nobody(api: Client, type: str) -> None:
    answers = iter([Answer(500, b"no"), Answer(302, b"", {"location": "/x"})])

    def answer(request: Any) -> Answer:
        if b"slow" in request.body:
            return Answer(200, b"", after_seconds=1.5)
        return next(answers, Answer(204))

    with (
        Receiver(answer) as program,
        laptop(api, "--forward-to", f"{program.port}", "--events", type) as here,
    ):
        slow = publish(api, type, "slow")
        quick = publish(api, type, "quick")
        said = [here.line() for _ in range(4)]
        assert [each["status"] for each in said if each["event"] == quick] == [500, 302, 204]
        assert said[-1]["event"] == slow
        assert settled(api, quick, "delivered")["attempts"] == 3


def test_nobody_there_and_too_much_and_too_late(api: Client, type: str) -> None:
    with laptop(api, "--forward-to", f"http://127.0.0.1:{free_port()}/", "--events", type) as here:
        publish(api, type)
        assert here.line()["error"].startswith("connect: ")
    with (
        Receiver(lambda _: Answer(200, b"x" * 100_000)) as program,
        laptop(api, "--forward-to", program.url(), "--events", type) as here,
    ):
        event = publish(api, type)
        assert here.line()["status"] == 200
        [attempt] = settled(api, event, "delivered")["log"]
        assert (len(attempt["response_body"]), attempt["response_cut"]) == (16 * 1024, True)
    with (
        Receiver(lambda _: Answer(200, b"", after_seconds=3)) as program,
        laptop(api, "--forward-to", program.url(), "--events", type, "--timeout", "1") as here,
    ):
        publish(api, type)
        assert here.line()["error"].startswith("timeout: ")


def test_two_laptops_hear_each_event_and_one_that_is_killed_leaves_the_other_alone(
    api: Client, type: str
) -> None:
    with Receiver() as one, Receiver() as other:
        with (
            laptop(api, "--forward-to", one.url(), "--events", type) as first,
            laptop(api, "--forward-to", other.url(), "--events", type) as second,
        ):
            publish(api, type)
            assert first.line()["status"] == second.line()["status"]
            second.end(signal.SIGKILL)
            for _ in range(5):
                publish(api, type)
            assert all(first.line()["status"] < 300 for _ in range(5))
        one.wait_for_count(6)
        assert len(other.requests) == 1


def test_certificates_of_a_program_are_looked_at_unless_told_otherwise(
    api: Client, type: str, tmp_path: Path
) -> None:
    context = serving(make_certificate(tmp_path, "localhost"))
    with TlsReceiver(context) as program:
        url = f"https://localhost:{program.port}/"
        with laptop(api, "--forward-to", url, "--events", type) as here:
            publish(api, type)
            assert here.line()["error"].startswith("tls: ")
        with laptop(api, "--forward-to", url, "--events", type, "--skip-verify") as here:
            publish(api, type)
            assert here.line()["status"] < 300


@pytest.mark.parametrize(
    "arguments",
    [
        ["listen"],
        ["listen", "--forward-to", "ftp://x/"],
        ["listen", "--forward-to", "http://:80:80/"],
        ["listen", "--forward-to", "3000", "--header", "no-colon"],
        ["listen", "--forward-to", "3000", "--timeout", "31"],
        ["trigger", "a.b", "--data", "{"],
        ["trigger", "a.b", "--data", "@/no/such/file"],
        ["trigger", "a.b", "--data", "[]", "--set", "a=1"],
        ["trigger", "a.b", "--set", "a"],
        ["trigger", "a.b", "--set", "a..b=1"],
        ["trigger", "a.b", "--set", "a=1", "--set", "a.b=1"],
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str]) -> None:
    told = ogel(*arguments, OGEL_URL="http://127.0.0.1:9/", OGEL_KEY=ADMIN_KEY)
    assert told.code == 2
    assert "Traceback" not in told.err


def test_from_trigger_to_here_takes_less_than_a_third_of_a_second(api: Client, type: str) -> None:
    with Receiver() as program, laptop(api, "--forward-to", program.url(), "--events", type) as here:
        took = []
        for _ in range(5):
            began = time.monotonic()
            settled(api, publish(api, type), "delivered")
            took.append(time.monotonic() - began)
            here.line()
    assert min(took) < 0.3
