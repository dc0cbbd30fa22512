"""The answer that the server sends itself when there is no valid request for the application."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import msgspec

from ogel.kernel.ids import new_id
from ogel.runtime.http.answer import head_of
from ogel.runtime.http.problem import Problem
from ogel.runtime.http.shield import NO_STORE, SHIELD


def refusal(status: int, detail: str, more: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """Returns a complete answer with a problem document, and `more` fields, after which the connection closes."""
    title = HTTPStatus(status).phrase
    kind = title.lower().replace(" ", "-")
    request_id = new_id("req")
    body = msgspec.json.encode(Problem(f"urn:ogel:{kind}", title, status, detail, request_id)) + b"\n"
    fields = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode("ascii")),
        *SHIELD,
        NO_STORE,
        *more,
    ]
    if status == 503:
        fields.append((b"retry-after", b"1"))
    options = b"close, upgrade" if status == 426 else b"close"
    return head_of(status, fields, b"connection: %b\r\n" % options) + body
