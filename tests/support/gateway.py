"""The gateway on a real port, in front of servers of a test's own; of Ogel's servers it needs none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from aiohttp import web
from prometheus_client import CollectorRegistry

from ogel.adapters.egress.upstreams import UpstreamClient
from ogel.features.gateway.upstreams.mounts import UpstreamsFeature
from ogel.features.gateway.upstreams.upstream import upstreams_of
from ogel.kernel.principal import Caller, Principal
from ogel.platform.platform import Platform
from ogel.runtime.http import server
from ogel.runtime.http.app import build_app
from ogel.runtime.http.credentials import KEY, by_key
from ogel.runtime.http.gate import Gate
from ogel.runtime.http.intake import HttpOptions
from ogel.runtime.http.metrics import HttpMetrics
from ogel.settings import NOWHERE

CALLER = {"Authorization": "Bearer caller"}
ADMIN = {"Authorization": f"Bearer {NOWHERE.admin_key}"}
PRINCIPALS: Mapping[str, Principal] = {
    "caller": Principal("key", "key_1", frozenset()),
    "studio": Principal("key", "key_2", frozenset({"studio:use"})),
    "person": Principal("user", "user_1"),
    "staff": Principal("user", "user_2", claims={"roles": ["label:staff", "team:t/admin"]}),
    str(NOWHERE.admin_key): Principal("admin", "admin", frozenset({"*"})),
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Gateway:
    port: int
    client: UpstreamClient
    feature: UpstreamsFeature
    registry: CollectorRegistry
    ended: list[Callable[[Any], None]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


class _Watch:
    def __init__(self, ended: list[Callable[[Any], None]]) -> None:
        self._ended = ended

    def watch(self, principal: Principal, scope: str, on_end: Callable[[Any], None]) -> Callable[[], None]:
        self._ended.append(on_end)
        return lambda: self._ended.remove(on_end)

    def look_soon(self) -> None: ...


@asynccontextmanager
async def gateway(
    upstreams: str, *, gate: Gate | None = None, limited: bool = False, **options: Any
) -> AsyncIterator[Gateway]:
    async def authenticate(key: str, _: Caller) -> Principal | None:
        return PRINCIPALS.get(key)

    ended: list[Callable[[Any], None]] = []
    core = replace(Platform(NOWHERE).core, registry=CollectorRegistry(), watch=_Watch(ended))
    client = UpstreamClient()
    feature = UpstreamsFeature(core, upstreams_of(upstreams), client)
    app = build_app(
        [],
        [],
        {KEY: by_key(authenticate)},
        HttpMetrics(core.registry),
        feature.probes(),
        HttpOptions(**options),
        dialects=[("gateway", dialect) for dialect in feature.dialects()],
        limiter=core.limiter if limited else None,
        gate=gate,
    )
    sockets = server.bind("127.0.0.1", 0)
    server.listen(sockets)
    stop = asyncio.Event()
    serving = asyncio.create_task(server.serve(app, sockets, stop, 5.0))
    try:
        yield Gateway(sockets[0].getsockname()[1], client, feature, core.registry, ended)
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await serving
        await client.close()


@asynccontextmanager
async def upstream(handler: Handler) -> AsyncIterator[str]:
    """A server of aiohttp that answers every path. Yields its URL."""
    app = web.Application(client_max_size=1 << 40)
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1, auto_decompress=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class Scripted:
    """A server that answers each connection as its script says, whatever HTTP thinks of it."""

    url: str
    seen: list[bytes] = field(default_factory=list)

    @property
    def asked(self) -> int:
        return len(self.seen)


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scripted(*scripts: Script | bytes, keep: bool = False) -> AsyncIterator[Scripted]:
    """The last script is for all connections after it. Bytes are the answer to a request's head. `keep` it open."""
    found = Scripted("")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await _head(reader):
                found.seen.append(head)
                script = scripts[min(len(found.seen), len(scripts)) - 1]
                if isinstance(script, bytes):
                    writer.write(script)
                    await writer.drain()
                else:
                    await script(reader, writer)
                if not keep:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        listening.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


@dataclass
class Got:
    status: int
    headers: Any
    body: bytes


async def get(
    gate: Gateway, path: str, method: str = "GET", headers: Mapping[str, str] = CALLER, **options: Any
) -> Got:
    """Without decompressing, following or adding anything."""
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.request(
            method,
            aiohttp.client.URL(gate.url + path, encoded=True),
            headers=headers,
            allow_redirects=False,
            **options,
        ) as answer,
    ):
        return Got(answer.status, answer.headers, await answer.read())


async def raw(gate: Gateway, request: bytes, seconds: float = 10.0) -> bytes:
    """Everything that is answered until the gateway hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    writer.write(request)
    try:
        async with asyncio.timeout(seconds):
            return await reader.read()
    finally:
        writer.close()


def head_of(seen: bytes) -> dict[str, list[str]]:
    """The fields of a request as an upstream saw it, by lower-case name."""
    fields: dict[str, list[str]] = {}
    for line in seen.decode("latin-1").split("\r\n")[1:]:
        if line:
            name, _, value = line.partition(":")
            fields.setdefault(name.lower(), []).append(value.strip())
    return fields


def first_lines(seen: Sequence[bytes]) -> list[str]:
    return [each.split(b"\r\n")[0].decode() for each in seen]
