"""The API and its services in this process, on real PostgreSQL: for rules and fields, which need no server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from ogel.cli.in_process import _answer
from ogel.environ import read_settings
from ogel.platform.platform import Platform
from ogel.serving import Process, Roles
from tests.support.in_thread import ServerInThread
from tests.support.process import ADMIN_KEY, SECRET, Client, Response

_SECONDS = 30.0
Value = TypeVar("Value")


class World(ServerInThread, Client):
    """
    Asked like a suite that runs, and answered by the same application without a socket. Nothing performs jobs, so that
    they stay to be looked at. `key=""` sends no credentials. What would be a 500 fails the test.
    """

    def __init__(self, **environment: str) -> None:
        ServerInThread.__init__(self)
        Client.__init__(self, port=0)
        here = {"OGEL_ADMIN_KEY": ADMIN_KEY, "OGEL_SECRET": SECRET, "OGEL_WEBHOOK_ALLOW_NETS": "127.0.0.0/8"}
        self.platform = Platform(read_settings({**here, **environment}).settings)
        self._app = Process(self.platform, Roles(api=True))._http_app
        self._running = AsyncExitStack()

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        sent = {"content-type": "application/json", **(headers or {})}
        if bearer := ADMIN_KEY if key is None else key:
            sent.setdefault("authorization", f"Bearer {bearer}")
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        asked = _answer(self._app, method, path, sent, content, _SECONDS)
        answer = self.run(asked)
        assert answer.status < 500 or answer.status == 501, (
            f"{method} {path}: {answer.status} {answer.body!r}"
        )
        return Response(answer.status, answer.headers, answer.body)

    def run(self, coroutine: Coroutine[Any, Any, Value]) -> Value:
        """On the loop that answers requests, beside them."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_SECONDS)

    async def _start(self) -> None:
        await self._running.enter_async_context(self.platform.servers.connected(works=False, name="world"))

    async def _stop(self) -> None:
        await self._running.aclose()
