"""What `ogel up` says once it runs: its address, its key, what to try. In a log of JSON it is one line of it."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

import click
import structlog

from ogel.runtime.log.setup import log_form, seconds_of_silence
from ogel.settings import Settings

# A start has said all it has to say when nothing was logged for so long. For ten seconds at most that is waited for.
SILENCE_SECONDS, MOST_LOOKS = 0.5, 100
_EVERYWHERE = {None, "", "::", "0.0.0.0"}  # noqa: S104 - told from one address, not listened on

log = structlog.get_logger(__name__)


class Banner:
    """`given`: the settings as they were before what the embedded servers know was filled in."""

    def __init__(self, given: Settings) -> None:
        self._given = given
        self._port = 0
        self._is_ready = asyncio.Event()

    def ready(self, port: int) -> None:
        self._port = port
        self._is_ready.set()

    async def show(self, stop: asyncio.Event) -> None:
        """A service: notes the address for commands beside it, and says all of it last. Ends with the others."""
        stopped = asyncio.create_task(stop.wait())
        ready = asyncio.create_task(self._is_ready.wait())
        try:
            await asyncio.wait((stopped, ready), return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                await self._while_ready(stop)
        finally:
            for task in (stopped, ready):
                task.cancel()

    async def _while_ready(self, stop: asyncio.Event) -> None:
        with self._announced() if self._given.embedded else nullcontext():
            for _ in range(MOST_LOOKS):
                if stop.is_set() or seconds_of_silence() > SILENCE_SECONDS:
                    break
                await asyncio.sleep(SILENCE_SECONDS / 5)
            if not stop.is_set():
                self._greet()
            await stop.wait()

    @contextmanager
    def _announced(self) -> Iterator[None]:
        from ogel.adapters.embedded import announce, retract

        try:
            announce(self._given.data_dir, self._url)
        except OSError as error:  # a full disk is told of elsewhere, and no reason not to serve
            log.warning(
                "up.not_announced", error=str(error), meaning="`ogel status` does not find this suite"
            )
        try:
            yield
        finally:
            with suppress(OSError):
                retract(self._given.data_dir)

    @property
    def _url(self) -> str:
        return url_of(self._given.host, self._port)

    def _greet(self) -> None:
        if log_form(self._given.log_form, sys.stdout) == "json":
            log.info(
                "up.ready",
                url=self._url,
                key_in="OGEL_ADMIN_KEY" if self._given.admin_key else self._key_file,
            )
        else:
            click.echo("\n" + "\n".join(self._lines()) + "\n", err=True)

    @property
    def _key_file(self) -> str:
        return str(self._given.data_dir / "admin_key")

    def _lines(self) -> list[str]:
        given, url = self._given, self._url
        own = [name for name, is_own in (
            ("PostgreSQL", given.database_url is None), ("Valkey", given.redis_url is None)
        ) if is_own]  # fmt: skip
        key = "$OGEL_ADMIN_KEY" if given.admin_key else f"$(cat {shlex.quote(self._key_file)})"
        lines = [
            f"Ogel on {url}"
            + (f", with its own {' and '.join(own)} and data in {given.data_dir}" if own else ""),
            f"admin key: {'OGEL_ADMIN_KEY' if given.admin_key else self._key_file}",
        ]
        if own and given.webhook_allow_nets is None:
            lines.append("webhooks may reach loopback addresses, because the servers are embedded")
        return [
            *lines,
            "try:",
            f"  curl -s {url}/api/health",
            f'  curl -s {url}/api/webhooks -H "Authorization: Bearer {key}" '
            '-d \'{"url":"http://localhost:9000/hook","events":["order.*"]}\'',
            f'  curl -s {url}/api/events -H "Authorization: Bearer {key}" '
            '-d \'{"type":"order.created","data":{"total":42}}\'',
        ]


def url_of(host: str | None, port: int) -> str:
    """Where whoever is on this machine reaches what listens on `host`."""
    name = "localhost" if host in _EVERYWHERE else host
    return f"http://[{name}]:{port}" if name and ":" in name else f"http://{name}:{port}"
