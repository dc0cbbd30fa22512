"""A server between a client and a suite, which changes what comes back."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from tests.support.answering import Asked, Handle
from tests.support.process import Ogel


def handing_on(suite: Ogel, change: Callable[[Asked, bytes], bytes] = lambda asked, body: body) -> Handle:
    """Asks the suite; `change` says what comes back instead of an answer's body."""

    def handle(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", suite.port, timeout=30)
        connection.request(asked.method, asked.target, asked.body, asked.headers)
        came = connection.getresponse()
        body = change(asked, came.read())
        connection.close()
        handler.send_response(came.status)
        handler.send_header("content-type", came.headers.get("content-type", ""))
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return handle
