"""
The clients of Centrifugo as npm and PyPI have them, as docs/realtime.md shows them: they hear and publish, miss
something while the process they were connected to is gone, and get it when it is back.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import pytest

from tests.support import npm, pypi
from tests.support.markdown import ROOT, blocks
from tests.support.process import ADMIN_KEY, Ogel, eventually

JAVASCRIPT, PYTHON = "centrifuge@5.8.0", "centrifuge-python==0.7.0"
PAGE = ROOT / "docs" / "realtime.md"
SECONDS = 20

# Behind what the page shows.
MORE_JAVASCRIPT = """
chat.on('subscribed', (ctx) => console.log('subscribed', ctx.wasRecovering, ctx.recovered))
chat.on('unsubscribed', (ctx) => console.log('unsubscribed', ctx.code))
client.on('disconnected', (ctx) => console.log('disconnected', ctx.code))
chat.ready().then(() => chat.publish({ text: 'from the page' }))
const ADDRESS = 'ws://localhost:8080/connection/websocket'
const stranger = new Centrifuge(ADDRESS, { token: 'nobody' })
stranger.on('disconnected', (ctx) => console.log('stranger', ctx.code))
stranger.connect()
const reader = new Centrifuge(ADDRESS, { token: READER })
const denied = reader.newSubscription('chat:17')
denied.on('subscribed', () => denied.publish({}).catch((error) => console.log('publish', error.code)))
denied.subscribe()
const secret = reader.newSubscription('$secret')
secret.on('unsubscribed', (ctx) => console.log('secret', ctx.code))
secret.subscribe()
reader.connect()
process.stdin.once('data', async () => {
  const found = await chat.history({ limit: 2, reverse: true })
  console.log('history', found.publications.map((each) => each.data.text).join())
  process.exit(0)
})
"""

MORE_PYTHON = """
    class Said(SubscriptionEventHandler):
        async def on_subscribed(self, ctx):
            print("room", ctx.recoverable)

        async def on_unsubscribed(self, ctx):
            print("secret", ctx.code)

    await client.new_subscription("room:1", events=Said(), token=TOKEN).subscribe()
    await client.new_subscription("room:2", events=Said()).subscribe()
    await chat.publish({"text": "from Ada"})
    await asyncio.Future()
"""


class Program:
    """One that prints lines, which are read as they come."""

    def __init__(self, command: list[str], directory: Path, **environment: str) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()
        self.said: list[str] = []

    def until(self, *expected: str) -> None:
        """Has said all of these, in any order."""
        while missing := set(expected) - set(self.said):
            try:
                self.said.append(self._lines.get(timeout=SECONDS))
            except Empty:
                pytest.fail(f"{missing} are not among {self.said}")

    def type(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))


@contextmanager
def running(command: list[str], directory: Path, **environment: str) -> Iterator[Program]:
    program = Program(command, directory, **environment)
    try:
        yield program
    finally:
        program.end()


@pytest.fixture
def suite(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[tuple[Ogel, Ogel]]:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OGEL_AUTH_AUTOCONFIRM": "true"}
    with (
        Ogel("api", log=tmp_path / "api.log", **servers) as api,
        Ogel("realtime", log=tmp_path / "realtime.log", **servers) as realtime,
    ):
        yield api, realtime


def shown(language: str, realtime: Ogel, token: str) -> str:
    [code] = [each.text for each in blocks(PAGE) if each.language == language]
    return adapted(code, realtime).replace("KEY", repr(token))


def adapted(code: str, realtime: Ogel) -> str:
    return code.replace("localhost:8080", f"127.0.0.1:{realtime.port}")


def say(api: Ogel, *texts: str) -> None:
    for text in texts:
        api.api.ok("POST", "/api/channels/chat:17/publish", {"data": {"text": text}})


def goes_and_comes_back(api: Ogel, realtime: Ogel) -> None:
    """By kill -9; meanwhile something is said."""
    realtime.kill()
    say(api, "missed", "missed too")
    realtime.start()


@npm.needs_npm(JAVASCRIPT)
def test_javascript(suite: tuple[Ogel, Ogel], tmp_path: Path) -> None:
    api, realtime = suite
    npm.install(tmp_path, JAVASCRIPT)
    reader = api.api.ok("POST", "/api/keys", {"name": "reader", "scopes": ["realtime:read"]})["key"]
    more = adapted(MORE_JAVASCRIPT, realtime).replace("READER", repr(reader))
    (tmp_path / "page.mjs").write_text(shown("js", realtime, ADMIN_KEY) + more)
    say(api, "before")
    # Node has no WebSocket of its own before version 22.
    with running(["node", "--experimental-websocket", "page.mjs"], tmp_path) as page:
        page.until("subscribed false false", "2 from the page", "stranger 3500", "publish 103", "secret 107")
        say(api, "hello")
        page.until("3 hello")
        goes_and_comes_back(api, realtime)
        page.until("subscribed true true", "4 missed", "5 missed too")
        say(api, "again")
        page.until("6 again")
        heard = [each for each in page.said if each[0].isdigit()]
        assert [each[0] for each in heard] == list("23456")
        page.type()
        page.until("history again,missed too")


def test_python(suite: tuple[Ogel, Ogel], tmp_path: Path) -> None:
    api, realtime = suite
    pypi.install(tmp_path / "packages", PYTHON)
    rules = {"subscribe_roles": ["users"], "publish_roles": ["users"]}
    api.api.ok("PUT", "/api/realtime/namespaces/chat", rules)
    signed_up = api.api.ok(
        "POST", "/auth/v1/signup", {"email": "ada@example.com", "password": "correct horse 17"}
    )
    room = api.api.ok("POST", "/api/channels/room:1/token", {"user": signed_up["user"]["id"], "seconds": 60})
    more = MORE_PYTHON.replace("TOKEN", repr(room["token"]))
    code = shown("python", realtime, signed_up["access_token"]).replace("    await asyncio.Future()\n", more)
    (tmp_path / "program.py").write_text(code)
    command = [sys.executable, "-u", "program.py"]
    with running(command, tmp_path, PYTHONPATH=str(tmp_path / "packages")) as program:
        program.until("1 from Ada", "secret 103", "room True")
        say(api, "hello")
        program.until("2 hello")
        goes_and_comes_back(api, realtime)
        program.until("3 missed", "4 missed too")
        say(api, "again")
        program.until("5 again")
        assert [each[0] for each in program.said if each[0].isdigit()] == list("12345")
        assert api.api("POST", "/auth/v1/logout", key=signed_up["access_token"]).status == 204
        eventually(
            lambda: 'reason="revoked"' in realtime.api("GET", "/metrics").raw.decode(), SECONDS, "an end"
        )
