"""MongoDB, asked whether it answers."""

from __future__ import annotations

from typing import Any

from ogel.kernel.errors import ConfigError, Unavailable

# Health waits this long for an answer.
_TIMEOUT_MS = 1000


class Mongo:
    """Connects at the first question. Raises ConfigError without the `mongo` extra, or for a URL it cannot read."""

    def __init__(self, url: str) -> None:
        try:
            from pymongo import AsyncMongoClient
            from pymongo.errors import PyMongoError
        except ImportError:
            raise ConfigError(
                "MONGO_URL is set, but the extra is missing: pip install 'ogel[mongo]'"
            ) from None
        self._errors = PyMongoError
        try:
            self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
                url,
                appname="ogel",
                maxPoolSize=2,
                serverSelectionTimeoutMS=_TIMEOUT_MS,
                connectTimeoutMS=_TIMEOUT_MS,
                socketTimeoutMS=_TIMEOUT_MS,
            )
        except (PyMongoError, ValueError):
            # Its message may quote the URL, and with it the password.
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
            return await self._client.admin.command(name)
        except self._errors as error:
            raise Unavailable(f"MongoDB did not answer: {type(error).__name__}") from error
