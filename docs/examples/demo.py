"""
The demo: boots `ogel up` in a temporary directory, publishes 102 events, follows each of them to the receiver,
the delivery log, the audit log and the realtime stream, and leaves nothing behind. `make demo` runs it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

DEADLINE_SECONDS = 90.0  # for all of it; a slow machine needs ten
STOP_SECONDS = 20.0
ADMIN_KEY = "demo-key-of-no-value-outside-this-demo"
TYPES = "order.*"
PHASES: list[tuple[str, list[dict[str, Any]]]] = [
    ("order.created", [{"type": "order.created", "data": {"order": 4711, "total": "42.00"}}]),
    ("order.updated", [{"type": "order.updated", "data": {"order": 4711, "total": "40.00"}}]),
    ("order.item_added", [{"type": "order.item_added", "data": {"item": item}} for item in range(100)]),
]
# The developer's own servers and settings are not for a demo to touch, save a PostgreSQL to be run.
FOREIGN = ("OGEL_", "DATABASE_", "POSTGRES_", "PG", "REDIS_", "MONGO", "PORT", "LOG_LEVEL", "SENTRY_")
COLUMNS = "  {:<18} {:>10} {:>10} {:>10} {:>10}   {:>10}   {:>10}   {:>10}"

say = partial(print, flush=True)


class DemoFailed(Exception):
    """Says in one line what did not happen."""


@dataclass
class Mailbox:
    """What came, by event id, and a way to wait for it."""

    items: dict[str, Any] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def put(self, event_id: str, item: Any) -> None:
        async with self.changed:
            self.items.setdefault(event_id, item)
            self.changed.notify_all()

    async def wait_for(self, event_ids: Iterable[str]) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.items.keys() >= set(event_ids))


@dataclass(frozen=True)
class Request:
    arrived_at: float
    headers: dict[str, str]
    body: bytes


@dataclass
class Suite:
    """`ogel up` as a process; its log is read as it is written, and says when it is ready."""

    port: int = 0
    log: deque[str] = field(default_factory=lambda: deque(maxlen=15))
    awaited: set[str] = field(default_factory=lambda: {"process.ready", "realtime.listener_connected"})
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self, data_dir: Path) -> AsyncIterator[None]:
        theirs = [name for name in os.environ if name == "OGEL_PG_BIN" or not name.startswith(FOREIGN)]
        ours = {"OGEL_DATA_DIR": str(data_dir), "PORT": "0", "OGEL_ADMIN_KEY": ADMIN_KEY}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ogel", "up"),
            env={name: os.environ[name] for name in theirs} | ours,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the demo, which then stops Ogel in good order
        )
        assert process.stdout is not None
        reading = asyncio.create_task(self._read(process.stdout))
        try:
            await self.settled.wait()
            if self.awaited:
                raise DemoFailed("`ogel up` ended before it was ready")
            yield
        finally:
            if not reading.done():
                # As Ctrl-C would, which is heeded while starting, too.
                process.send_signal(signal.SIGINT)
            await self._end(process)
            await reading

    async def _read(self, output: asyncio.StreamReader) -> None:
        while line := (await output.readline()).decode(errors="replace").rstrip():
            self.log.append(line)
            entry = json.loads(line) if line.startswith("{") else {}
            self.port = entry.get("port", self.port)
            self.awaited.discard(entry.get("message", ""))
            if not self.awaited:
                self.settled.set()
        self.settled.set()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(STOP_SECONDS):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise DemoFailed(f"`ogel up` did not stop within {STOP_SECONDS:g} s and was killed") from None
        if code != 0 and not self.awaited:
            raise DemoFailed(f"`ogel up` ended with exit code {code}")


@asynccontextmanager
async def receiver(inbox: Mailbox) -> AsyncIterator[str]:
    """Yields its URL. Signatures are verified later, so as not to delay the requests that are being timed."""

    async def receive(request: web.Request) -> web.Response:
        arrived_at = time.monotonic()
        body = await request.read()
        await inbox.put(request.headers["webhook-id"], Request(arrived_at, dict(request.headers), body))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


@dataclass(frozen=True)
class Api:
    session: aiohttp.ClientSession

    async def call(self, method: str, path: str, **options: Any) -> Any:
        async with self.session.request(method, path, **options) as response:
            if response.status >= 400:
                raise DemoFailed(f"{method} {path} got {response.status}: {await response.text()}")
            return await response.json()

    async def list(self, path: str, **filters: str) -> list[Any]:
        """Every page of it."""
        items: list[Any] = []
        query = {**filters, "limit": "100"}
        while True:
            page = await self.call("GET", path, params=query)
            items += page["items"]
            if page["next"] is None:
                return items
            query["after"] = page["next"]

    @asynccontextmanager
    async def subscribed(self, heard: Mailbox) -> AsyncIterator[None]:
        """Server-Sent Events, from the moment the server says that it is listening for us."""
        url, endless = f"/realtime/sse?events={TYPES}", aiohttp.ClientTimeout(total=None)
        async with self.session.get(url, timeout=endless, raise_for_status=True) as stream:
            await stream.content.readuntil(b"event: ready\n")
            reading = asyncio.create_task(_read_events(stream, heard))
            try:
                yield
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)


async def _read_events(stream: aiohttp.ClientResponse, heard: Mailbox) -> None:
    async for line in stream.content:
        name, _, value = line.decode().rstrip().partition(": ")
        if name == "data" and value.startswith('{"id":'):
            await heard.put(json.loads(value)["id"], True)


@dataclass(frozen=True)
class Demo:
    api: Api
    webhook: dict[str, Any]
    inbox: Mailbox
    heard: Mailbox

    async def phase(self, label: str, events: Sequence[dict[str, Any]]) -> None:
        """Publishes in one call, waits for all that follows from it, prints a row of the table."""
        sent_at = time.monotonic()
        ids = {event["id"] for event in await self.api.call("POST", "/api/events", json=events)}
        await self.inbox.wait_for(ids)
        await self.heard.wait_for(ids)
        deliveries = [each for each in await self._deliveries() if each["event"] in ids]
        records = await self.api.list("/api/audit-logs", action="event.publish")
        requests = [self.inbox.items[id] for id in ids]
        waits = sorted(request.arrived_at - sent_at for request in requests)
        counts = {
            "delivered": sum(each["status"] == "delivered" for each in deliveries),
            "verified": sum(map(self._verifies, requests)),
            "audited": len(ids & {record["resource_id"] for record in records}),
            "heard in realtime": len(ids & self.heard.items.keys()),
        }
        attempts = sum(each["attempts"] for each in deliveries)
        delivered, *others = (f"{count} of {len(ids)}" for count in counts.values())
        say(COLUMNS.format(label, delivered, attempts, quantile(waits, 50), quantile(waits, 99), *others))
        if missing := [what for what, count in counts.items() if count != len(ids)]:
            raise DemoFailed(f"{label}: not all were {' and '.join(missing)}")

    async def _deliveries(self) -> list[Any]:
        """Once none is pending: results are written a moment after the answers."""
        while True:
            deliveries = await self.api.list("/api/deliveries", webhook=self.webhook["id"])
            if all(each["status"] != "pending" for each in deliveries):
                return deliveries
            await asyncio.sleep(0.01)

    def _verifies(self, request: Request) -> bool:
        try:
            Webhook(self.webhook["secret"]).verify(request.body, request.headers)
        except WebhookVerificationError:
            return False
        return True


async def run(suite: Suite) -> None:
    began = time.monotonic()
    inbox, heard = Mailbox(), Mailbox()
    say("\n  Ogel, all of it: one process, on a PostgreSQL and a Valkey of its own …")
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="ogel-demo-"))
        await stack.enter_async_context(suite.running(Path(directory)))
        up_seconds = time.monotonic() - began
        hook = await stack.enter_async_context(receiver(inbox))
        base = f"http://localhost:{suite.port}"
        session = aiohttp.ClientSession(base, headers={"Authorization": f"Bearer {ADMIN_KEY}"})
        api = Api(await stack.enter_async_context(session))
        webhook = await api.call("POST", "/api/webhooks", json={"url": hook, "events": [TYPES]})
        await stack.enter_async_context(api.subscribed(heard))
        say(f"\n  {base}   up in {up_seconds:.1f} s, initdb and migrations included")
        say(f"  {webhook['id']}   {TYPES} → {hook}\n")
        say(COLUMNS.format("event", "delivered", "attempts", "p50", "p99", "signed", "audited", "realtime"))
        demo = Demo(api, webhook, inbox, heard)
        for label, events in PHASES:
            await demo.phase(label, events)
    say("\n  p50, p99   from sending the publish call, its commit included, to the request at the receiver")
    say("  signed     verified by the independent package `standardwebhooks`")
    say(
        f"\n  {len(inbox.items)} events, none lost, nothing left running; {time.monotonic() - began:.1f} s.\n"
    )


def quantile(ordered: Sequence[float], percent: int) -> str:
    return f"{ordered[(len(ordered) - 1) * percent // 100] * 1000:.1f} ms"


async def run_until_signalled(suite: Suite) -> None:
    """A signal cancels the demo once; what follows is cleaning up, which nothing should interrupt."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt() -> None:
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        task.cancel()

    for number in signals:
        loop.add_signal_handler(number, interrupt)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await run(suite)
    except TimeoutError as error:
        raise DemoFailed(f"not finished within {DEADLINE_SECONDS:g} s") from error


def main() -> int:
    suite = Suite()
    try:
        asyncio.run(run_until_signalled(suite))
    except asyncio.CancelledError:
        print("\ndemo: interrupted; everything it started has been stopped", file=sys.stderr)
        return 130
    except (DemoFailed, OSError, aiohttp.ClientError) as error:
        print(f"\ndemo: failed: {error}", *suite.log, sep="\n  ", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
