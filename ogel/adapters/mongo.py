"""MongoDB: a client that closes all its connections, and the check of our own server."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ogel.kernel.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from pymongo import AsyncMongoClient

# Seconds that a health check waits for an answer.
_TIMEOUT_MS = 1000


class TidyClient:
    """
    A pymongo client that leaves no socket behind. Closed while its monitor connects, pymongo leaves that one to the
    garbage collector, and a server that does not answer is always being connected to. Arguments are AsyncMongoClient's.
    Raises ImportError without the `mongo` extra, PyMongoError or ValueError for arguments that cannot be used.
    """

    def __init__(self, *, timeout_ms: int, **arguments: Any) -> None:
        from pymongo import AsyncMongoClient
        from pymongo.monitoring import ServerHeartbeatListener

        beats = self._beats = _Beats()

        class Listener(ServerHeartbeatListener):
            def started(self, event: object) -> None:
                beats.begin()

            def succeeded(self, event: object) -> None:
                beats.end()

            def failed(self, event: object) -> None:
                beats.end()

        self._timeout_seconds = timeout_ms / 1000
        self.pymongo: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            serverSelectionTimeoutMS=timeout_ms,
            connectTimeoutMS=timeout_ms,
            socketTimeoutMS=timeout_ms,
            # The streaming protocol would keep a second connection per server, which no heartbeat event reports.
            serverMonitoringMode="poll",
            event_listeners=[Listener()],
            **arguments,
        )

    async def close(self) -> None:
        """Within the timeout: by then whoever was connecting is connected, or has given up."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timeout_seconds):
                    await self._beats.over()
        finally:
            await self.pymongo.close()


class _Beats:
    """Counts the servers that are being asked at the moment."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()

    def begin(self) -> None:
        self._count += 1
        self._none.clear()

    def end(self) -> None:
        self._count -= 1
        if not self._count:
            self._none.set()

    async def over(self) -> None:
        while self._count:
            await self._none.wait()


class Mongo:
    """Connects at the first question. Raises ConfigError without the `mongo` extra, or for a URL it cannot read."""

    def __init__(self, url: str) -> None:
        try:
            from pymongo import errors
        except ImportError:
            raise ConfigError(
                "MONGO_URL is set, but the extra is missing: pip install 'ogel[mongo]'"
            ) from None
        self._errors = errors.PyMongoError
        try:
            self._client = TidyClient(timeout_ms=_TIMEOUT_MS, host=url, appname="ogel", maxPoolSize=2)
        except (errors.PyMongoError, ValueError):
            # Its message may quote the URL, which contains the password.
            raise ConfigError(
                "MONGO_URL cannot be read; it takes mongodb://[user:password@]host:port"
            ) from None

    async def ping(self) -> bool:
        """Raises Unavailable."""
        await self._command("ping")
        return True

    async def version(self) -> str:
        """Raises Unavailable."""
        return str((await self._command("buildInfo")).get("version", "?"))

    async def close(self) -> None:
        await self._client.close()

    async def _command(self, name: str) -> dict[str, Any]:
        try:
            return await self._client.pymongo.admin.command(name)
        except self._errors as error:
            raise Unavailable(f"MongoDB did not answer: {type(error).__name__}") from error
