"""The client's way over HTTP: a connection that is kept, the environment's proxies, and plain words for failures."""

from __future__ import annotations

import ipaddress
import ssl
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit

import urllib3
from urllib3 import exceptions

from ogel import __version__
from ogel.cli.client import MOST_BYTES, Answer, Streamed
from ogel.kernel.errors import ConfigError, OgelError, Unavailable
from ogel.runtime.log.terminal import printable

CONNECT_SECONDS = 10.0
_PIECE = 64 * 1024
_STREAMED_PIECE = 256 * 1024
_AGENT = f"ogel-cli/{__version__}"


class OverHttp:
    """`url` as profiles.clean_url gives it. Redirects are not followed: the key is for this address alone."""

    def __init__(self, url: str, key: str) -> None:
        self.where = url
        parts = urlsplit(url)
        self._origin, self._prefix = urlunsplit((parts.scheme, parts.netloc, "", "", "")), parts.path
        self._headers = {
            "authorization": f"Bearer {key}",
            "user-agent": _AGENT,
            "accept": "application/json, application/problem+json, */*;q=0.5",
        }
        self._proxy = _proxy_of(parts.scheme, parts.hostname or "")
        self._pool = _pool(self._proxy)

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Answer:
        deadline = time.monotonic() + seconds
        with self._explained():
            response = self._asked(method, target, headers, body, seconds)
            try:
                content = self._read(response, deadline)
            finally:
                response.release_conn()
        return Answer(response.status, _by_name(response), content)

    @contextmanager
    def stream(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Iterable[bytes] | None,
        seconds: float,
    ) -> Iterator[Streamed]:
        torn: list[OSError] = []

        def given(pieces: Iterable[bytes]) -> Iterator[bytes]:
            try:
                yield from pieces
            except OSError as error:  # what it is read from failed, and not the connection
                torn.append(error)
                raise

        with self._explained():
            try:
                response = self._asked(
                    method, target, headers, None if body is None else given(body), seconds
                )
            except exceptions.HTTPError:
                if torn:
                    raise torn[0] from None
                raise
        ended = False

        def pieces() -> Iterator[bytes]:
            nonlocal ended
            with self._explained():
                while piece := response.read1(_STREAMED_PIECE, decode_content=True):
                    yield piece
            ended = True

        try:
            yield Streamed(response.status, _by_name(response), pieces())
        finally:
            if ended:
                response.release_conn()
            else:
                response.close()  # its rest would be the next answer

    def _asked(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None,
        seconds: float,
    ) -> urllib3.BaseHTTPResponse:
        return self._pool.request(
            method,
            f"{self._origin}{self._prefix}{target}",
            body=body,
            headers={**self._headers, **headers},
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, seconds), read=seconds),
            retries=False,
            redirect=False,
            preload_content=False,
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except exceptions.HTTPError as error:
            raise Unavailable(f"{self.where} {self._why(error)}") from error
        except (ValueError, UnicodeError) as error:  # of http.client, for what no header may hold
            raise OgelError(f"this cannot be sent: {printable(str(error))}") from error

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        """Piece by piece, so that one who sends a byte now and then has no more time than others."""
        pieces, size = [], 0
        while piece := response.read1(_PIECE, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > MOST_BYTES:
                response.close()
                raise OgelError(f"{self.where} answers with more than {MOST_BYTES >> 20} MiB")
            if time.monotonic() > deadline:
                response.close()
                raise Unavailable(f"{self.where} did not end its answer in time")
        return b"".join(pieces)

    def _why(self, error: Exception) -> str:
        by = f", by the proxy {self._proxy.shown}" if self._proxy else ""
        match error:
            case exceptions.ProxyError(original_error=cause):
                return f"cannot be reached{by}: {printable(str(cause))}"
            case exceptions.NameResolutionError():
                return f"cannot be reached{by}: there is no such host"
            case exceptions.NewConnectionError():
                return f"cannot be reached{by}: {printable(_cause(error))}"
            case exceptions.ConnectTimeoutError():
                return f"did not answer within {CONNECT_SECONDS:g} s{by}"
            case exceptions.ReadTimeoutError():
                return f"did not answer in time{by}"
            case exceptions.SSLError():
                return _why_no_tls(error)
            case exceptions.ProtocolError():
                return f"broke the connection off{by}: {printable(_cause(error))}"
        return f"cannot be asked{by}: {printable(str(error))}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.clear()


def _by_name(response: urllib3.BaseHTTPResponse) -> Mapping[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


class _Proxy:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("the proxy of the environment is no HTTP proxy: set NO_PROXY for this host")
        self.shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        user = (
            None if parts.username is None else f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        )
        self.headers = urllib3.make_headers(proxy_basic_auth=user) if user else None


def _proxy_of(scheme: str, host: str) -> _Proxy | None:
    """As curl and others take it from the environment; nobody asks a proxy for this machine."""
    if _is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    url = proxies.get(scheme) or proxies.get("all")
    return _Proxy(url) if url else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _pool(proxy: _Proxy | None) -> urllib3.PoolManager:
    context = ssl.create_default_context()  # knows SSL_CERT_FILE
    if proxy is None:
        return urllib3.PoolManager(ssl_context=context)
    return urllib3.ProxyManager(
        proxy.shown, proxy_headers=proxy.headers, ssl_context=context, proxy_ssl_context=context
    )


def _why_no_tls(error: Exception) -> str:
    cause = _cause(error)
    if "CERTIFICATE_VERIFY_FAILED" in cause:
        reason = (
            cause.partition("certificate verify failed: ")[2].rpartition(" (_ssl")[0] or "it is not trusted"
        )
        return f"shows a certificate that is not good: {reason}. SSL_CERT_FILE names authorities of your own"
    if "WRONG_VERSION_NUMBER" in cause or "HTTP_REQUEST" in cause:
        return "speaks no TLS: is it http:// there?"
    return f"cannot be reached by TLS: {printable(cause)}"


def _cause(error: BaseException) -> str:
    """What the system said; urllib3's own words name objects."""
    deepest = error
    for _ in range(10):
        if (cause := deepest.__cause__ or deepest.__context__) is None:
            break
        deepest = cause
    return getattr(deepest, "strerror", None) or str(deepest)
