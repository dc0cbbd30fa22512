"""Requests to hosts that operators chose, with aiohttp: one session per process, made when it is needed first."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from ogel.adapters.egress.dial import connect_error
from ogel.adapters.egress.resolver import Resolver, SystemResolver
from ogel.adapters.egress.system_names import search_look_up
from ogel.runtime.egress import EgressError, Exchange, Headers, Timings
from ogel.runtime.outgoing import Body, HandshakeRefused, Outgoing, StreamedAnswer

# Imported by the first request, because few processes make any.
if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

MAX_CONNECTIONS = 100
# Shorter than servers keep connections open: a request that is not idempotent cannot be repeated when its connection
# turns out to be closed.
KEEP_ALIVE_SECONDS = 4.0
MAX_HEADER_BYTES = 16 * 1024  # of one field; aiohttp bounds how many there are
# What aiohttp adds of its own accord.
_AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
_CLOSED = "outgoing requests have been stopped"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# What is none of it is escaped (RFC 3986 §2): yarl would drop line breaks, and send spaces as they are.
_URL = re.compile(r"[\x21-\x7e]+", re.ASCII)


class Progress(Struct):
    """The phase that a request has reached, for its timings and for the message when it times out."""

    began: float = field(default_factory=time.monotonic)
    phase_began: float = field(default_factory=time.monotonic)
    phase: str = "queue"
    timings: Timings = field(default_factory=Timings)

    def enter(self, phase: str) -> None:
        now = time.monotonic()
        match self.phase:
            case "dns":
                self.timings.dns = now - self.phase_began
            case "connect":
                self.timings.connect = now - self.phase_began
            case "answer":
                self.timings.first_byte = now - self.phase_began
        self.phase, self.phase_began = phase, now


class OutgoingClient:
    """
    passes_on    requests are others': they go out as they are, without headers of our own, and names are looked up for
                 each connection, because at each deploy they mean other addresses.
    proxy        `http://[user:password@]host:port`; plain requests go through it, those by TLS through its tunnels.
    ssl_context  for a private certificate authority; certificates are always verified.
    """

    def __init__(
        self,
        *,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        resolver: Resolver | None = None,
        max_connections: int = MAX_CONNECTIONS,
        passes_on: bool = False,
    ) -> None:
        self._max_connections = max_connections
        self._passes_on = passes_on
        self._proxy = proxy
        self._ssl_context = ssl_context
        # Operators may use short names of a private network.
        self._resolver: Resolver = resolver or SystemResolver(search_look_up)
        self._session: ClientSession | None = None
        self._closed = False

    @property
    def session(self) -> ClientSession:
        """For outgoing_sockets.py. Raises EgressError once it is closed."""
        if self._closed:
            raise EgressError("connect", _CLOSED, ours=True)
        return self._opened()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: Body = b"",
        timeout_seconds: float,
        max_body_bytes: int,
    ) -> Exchange:
        progress = Progress()
        with Faults(progress):
            async with (
                asyncio.timeout(timeout_seconds),
                self._asked(method, url, headers, body, progress) as got,
            ):
                answer = bytearray()
                # One byte more than wanted shows whether the body is longer.
                async for chunk in got.content.iter_chunked(max_body_bytes + 1 or 1):
                    answer += chunk
                    if len(answer) > max_body_bytes:
                        got.close()
                        break
            progress.timings.total = time.monotonic() - progress.began
            return Exchange(
                got.status,
                _fields(got),
                bytes(answer[:max_body_bytes]),
                len(answer) > max_body_bytes,
                None,
                progress.timings,
            )

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: Body = b"",
        timeout_seconds: float,
        idle_seconds: float,
    ) -> AsyncIterator[StreamedAnswer]:
        progress = Progress()
        patience = _Patience(timeout_seconds)
        if self._passes_on and not isinstance(body, bytes):
            body = patience.during(body)
        asked = self._asked(method, url, headers, body, progress)
        with Faults(progress):
            async with asyncio.timeout(timeout_seconds) as patience.limit:
                got = await asked.__aenter__()
        patience.limit = None
        try:
            yield _Streamed(got, progress, idle_seconds)
        finally:
            # A body that was read to its end has returned its connection already.
            got.close()

    async def close(self) -> None:
        """Closes every connection, also those in use."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _asked(
        self, method: str, url: str, headers: Headers, body: Body, progress: Progress
    ) -> AbstractAsyncContextManager[ClientResponse]:
        from yarl import URL

        if self._closed:
            raise EgressError("connect", _CLOSED, ours=True)
        if not _TOKEN.fullmatch(method):
            raise EgressError("protocol", "the method is no method of HTTP", ours=True)
        try:
            if not _URL.fullmatch(url):
                raise ValueError("it holds what is not escaped")
            target = URL(url, encoded=True)
            if target.scheme not in ("http", "https") or not target.host:
                raise ValueError("it is no http:// or https:// URL")
        except ValueError as error:
            raise EgressError("protocol", "the URL cannot be called", ours=True) from error
        return self._opened().request(
            method,
            target,
            headers=checked_headers(headers),
            data=body or None,
            allow_redirects=False,
            proxy=self._proxy,
            trace_request_ctx=progress,
        )

    def _opened(self) -> ClientSession:
        if self._session is None:
            import aiohttp

            from ogel.adapters.egress.outgoing_names import Names

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._max_connections,
                    keepalive_timeout=KEEP_ALIVE_SECONDS,
                    resolver=Names(self._resolver, cached=not self._passes_on),
                    use_dns_cache=False,  # the resolver has one
                    ssl=self._ssl_context or True,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # each request has its deadline
                headers=None if self._passes_on else {"Accept-Encoding": "identity"},
                skip_auto_headers=_AUTOMATIC if self._passes_on else None,
                auto_decompress=False,
                max_line_size=MAX_HEADER_BYTES,
                max_field_size=MAX_HEADER_BYTES,
                trace_configs=[_traced()],
            )
        return self._session


class _Patience:
    """
    The time a server has for its answer, where the body is somebody else's: it runs while the server takes a piece, and
    from the last one on, and not while that somebody sends.
    """

    def __init__(self, seconds: float) -> None:
        self.limit: asyncio.Timeout | None = None
        self._seconds = seconds

    async def during(self, body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        self._stop()
        async for piece in body:
            self._start()
            yield piece
            self._stop()
        self._start()

    def _start(self) -> None:
        if self.limit is not None:
            self.limit.reschedule(asyncio.get_running_loop().time() + self._seconds)

    def _stop(self) -> None:
        if self.limit is not None:
            self.limit.reschedule(None)


class _Streamed:
    def __init__(self, answer: ClientResponse, progress: Progress, idle_seconds: float) -> None:
        self.status = answer.status
        self.headers = _fields(answer)
        self.raw_headers: Sequence[tuple[bytes, bytes]] = answer.raw_headers
        self._answer = answer
        self._progress = progress
        self._idle_seconds = idle_seconds

    async def chunks(self) -> AsyncIterator[bytes]:
        pieces = self._answer.content
        while True:
            with Faults(self._progress):
                async with asyncio.timeout(self._idle_seconds):
                    piece = await pieces.readany()
            if not piece:
                return
            yield piece


class Faults:
    """Translates exceptions of aiohttp and the system into EgressError. Their own messages may quote what was sent."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, EgressError):
            found: EgressError | None = error
        else:
            found = _fault(error, self._progress) if isinstance(error, Exception) else None
        if found is None:
            return
        self._progress.enter("over")
        self._progress.timings.total = time.monotonic() - self._progress.began
        found.timings = self._progress.timings
        if found is not error:
            raise found from error


def _fault(error: Exception, progress: Progress) -> EgressError | None:
    """Returns None for a fault of our own code."""
    import aiohttp

    detail = _told(error)
    match error:
        case TimeoutError():
            ours = progress.phase == "queue"
            return EgressError("timeout", _LATE.get(progress.phase, _LATE_ANSWER), detail=detail, ours=ours)
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return EgressError(
                "proxy",
                "the outgoing proxy did not let us through",
                detail=detail,
                ours=_is_proxy_fault(error),
            )
        case aiohttp.ClientConnectorCertificateError():
            return EgressError("tls", "the certificate could not be verified", detail=detail)
        case aiohttp.ClientSSLError():
            return EgressError("tls", "the TLS handshake failed", detail=detail)
        case aiohttp.ClientConnectorError():
            return connect_error(error.os_error, socket.AF_INET)
        case aiohttp.InvalidURL():
            return EgressError("protocol", "the URL cannot be called", detail=detail, ours=True)
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return EgressError(
                "reset", "the connection was closed before the answer was whole", detail=detail
            )
        case aiohttp.ClientError() | aiohttp.http.HttpProcessingError():
            return EgressError("protocol", "the answer is not valid HTTP", detail=detail)
        case OSError():
            return EgressError("reset", "the connection was lost", detail=detail)
    return None


_LATE_ANSWER = "the answer took too long"
_LATE = {
    "queue": "too many outgoing requests are under way",
    "dns": "the name was not resolved in time",
    "connect": "no connection was made in time",
}


def _told(error: Exception) -> str:
    """Returns a message for operators. The error's own text may contain URLs with passwords."""
    words = (getattr(error, "status", None), getattr(error, "os_error", None))
    return " ".join([type(error).__name__, *(str(each) for each in words if each)])


def _is_proxy_fault(error: Exception) -> bool:
    """Whether the proxy is at fault: 502 and 504 are about the target (RFC 9110 §15.6)."""
    return getattr(error, "status", 0) not in (502, 504)


def _fields(answer: ClientResponse) -> Headers:
    return list(answer.headers.items())


def checked_headers(headers: Headers) -> list[tuple[str, str]]:
    """Raises EgressError("protocol") without the value, which may be a secret."""
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise EgressError("protocol", f"{name[:40]!r} is not a header name")
        if _CONTROL.search(value):
            raise EgressError("protocol", f"the value of header {name} holds control characters")
    return list(headers)


def _traced() -> Any:
    """Reports to each request's Progress which phase it has reached."""
    import aiohttp

    def entering(phase: str) -> Any:
        async def entered(_: Any, context: Any, __: Any) -> None:
            if context.trace_request_ctx is not None:  # a WebSocket has none
                context.trace_request_ctx.enter(phase)

        return entered

    traced = aiohttp.TraceConfig()
    traced.on_dns_resolvehost_start.append(entering("dns"))
    traced.on_dns_resolvehost_end.append(entering("connect"))
    traced.on_connection_create_start.append(entering("connect"))
    traced.on_connection_create_end.append(entering("answer"))
    traced.on_connection_reuseconn.append(entering("answer"))
    traced.on_request_end.append(entering("body"))
    traced.on_request_redirect.append(_refuse_redirect)
    return traced


async def _refuse_redirect(_: Any, __: Any, redirect: Any) -> None:
    """A handshake of a WebSocket is the one request whose redirects aiohttp cannot be told not to follow."""
    answer: ClientResponse = redirect.response
    answer.close()
    raise HandshakeRefused(answer.status, answer.raw_headers)


# Lets the type checker verify that the client implements the port.
_: type[Outgoing] = OutgoingClient
