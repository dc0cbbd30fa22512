"""The bytes of an HTTP/1.1 POST (RFC 9112 §3), with headers that cannot break out of their line."""

from __future__ import annotations

import re
from functools import lru_cache

from ogel.adapters.egress.target import RequestTarget
from ogel.runtime.egress import NO_HEADERS, EgressError, EncodedHeaders, Headers

# Framing, routing and negotiation are ours: a caller's header of these names is left out, never sent twice.
RESERVED = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def request_prefix(target: RequestTarget) -> bytes:
    """Returns the part that is equal for all requests to this URL, up to the value of Content-Length."""
    return (
        f"POST {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n"
        "Accept: */*\r\nAccept-Encoding: identity\r\nContent-Length: "
    ).encode("ascii")


def encode_headers(headers: Headers) -> EncodedHeaders:
    """Names keep their case. Raises EgressError("protocol") for a name or value that HTTP does not allow."""
    lines: list[str] = []
    for name, value in headers:
        if _is_reserved(name):
            continue
        if _CONTROL.search(value):
            raise EgressError("protocol", f"the value of header {name} holds control characters")
        lines.append(f"{name}: {value}\r\n")
    try:
        return EncodedHeaders("".join(lines).encode("utf-8"))
    except UnicodeEncodeError as error:
        raise EgressError("protocol", "a header value is not valid Unicode text") from error


def encode_request(
    prefix: bytes, headers: Headers, body: bytes, encoded: EncodedHeaders = NO_HEADERS
) -> bytes:
    """Raises EgressError("protocol") as `encode_headers` does."""
    return b"%b%d\r\n%b%b\r\n%b" % (prefix, len(body), encoded, encode_headers(headers), body)


@lru_cache(maxsize=1024)
def _is_reserved(name: str) -> bool:
    if not _TOKEN.fullmatch(name):
        raise EgressError("protocol", f"{name[:40]!r} is not a header name")
    return name.lower() in RESERVED
