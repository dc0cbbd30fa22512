"""One request from Ogel to a program on this machine or near it, and what comes back, as a handover's answer."""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
import urllib3
from urllib3 import exceptions

from ogel.features.webhooks.listeners.handover import (
    MOST_HEADERS,
    Answered,
    Failed,
    Failure,
    Handover,
    HandoverAnswer,
)
from ogel.runtime.log.terminal import printable

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

MOST_BYTES = 16 * 1024
_PIECE = 4 * 1024
_MOST_CHARACTERS = 300
# Of headers all together, so that they fit into the request that reports them.
_MOST_HEADER_CHARACTERS = 16 * 1024


def local_url(given: str) -> str:
    """`3000`, `localhost:3000/hook` and URLs. Raises UsageError."""
    url = f"localhost:{given}" if given.isascii() and given.isdigit() else given
    if "://" not in url:
        url = f"http://{url}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise click.UsageError(f"--forward-to: {given!r} is no http:// or https:// URL")
    return url


class Local:
    """`headers` are added to those of each request. Redirects are not followed, as workers do not follow them."""

    def __init__(self, url: str, headers: Sequence[tuple[str, str]], at_once: int, skip_verify: bool) -> None:
        self._url = url
        self._headers = headers
        context = ssl.create_default_context()  # knows SSL_CERT_FILE
        if skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._pool = urllib3.PoolManager(maxsize=at_once, ssl_context=context)

    def send(self, handover: Handover) -> HandoverAnswer:
        """Within the endpoint's time."""
        began = time.monotonic()
        headers = urllib3.HTTPHeaderDict()
        for name, value in (*handover.headers, *self._headers):
            headers.add(name, value)
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=handover.body.encode(),
                headers=headers,
                timeout=urllib3.Timeout(total=handover.timeout_seconds),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            first_byte = time.monotonic() - began
            return HandoverAnswer(answered=_answered(response, first_byte, began + handover.timeout_seconds))
        except (exceptions.HTTPError, ValueError, UnicodeError) as error:
            return HandoverAnswer(failed=_failed(error))

    def close(self) -> None:
        self._pool.clear()


def _answered(response: BaseHTTPResponse, first_byte: float, deadline: float) -> Answered:
    body = b""
    try:
        while len(body) <= MOST_BYTES and (piece := response.read1(_PIECE, decode_content=False)):
            body += piece
            if time.monotonic() > deadline:
                raise exceptions.TimeoutError
    except BaseException:
        response.close()
        raise
    truncated = len(body) > MOST_BYTES
    if truncated:
        response.close()
    else:
        response.release_conn()
    return Answered(
        status=response.status,
        headers=_shown(list(response.headers.items())),
        body=base64.b64encode(body[:MOST_BYTES]).decode(),
        truncated=truncated,
        first_byte_seconds=first_byte,
    )


def _shown(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The first of them, as far as they fit."""
    shown: list[tuple[str, str]] = []
    left = _MOST_HEADER_CHARACTERS
    for name, value in headers[:MOST_HEADERS]:
        left -= len(name) + len(value)
        if left < 0 or len(name) > 256:
            break
        shown.append((name, value.replace("\x00", "\ufffd")[:8192]))
    return shown


def _failed(error: Exception) -> Failed:
    reason, message = _why(error)
    return Failed(reason, printable(message)[:_MOST_CHARACTERS] or reason)


def _why(error: Exception) -> tuple[Failure, str]:
    match error:
        case exceptions.NameResolutionError():
            return "dns", "there is no such host"
        case exceptions.NewConnectionError():
            return "connect", "the connection was refused, or could not be made"
        case exceptions.TimeoutError():
            return "timeout", "the program did not answer in time"
        case exceptions.SSLError():
            return "tls", f"TLS failed: {error}"
        case exceptions.ProtocolError():
            return "reset", "the connection was closed before the answer was whole"
    return "protocol", f"the answer is not valid HTTP: {error}"
