"""Cross-origin requests (CORS, Fetch standard): the headers that let pages of other origins read answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct
from starlette.types import Send

Header = tuple[bytes, bytes]

_VARY = (b"vary", b"Origin")
_VARIES = (_VARY,)
_LABELS = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
# Matches header names, which are sent back to the client.
_NAMES = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z, \t]{0,4096}")


class Cors(Struct, frozen=True):
    """
    origins          `https://app.example.com`, or `https://*.example.com` for all names below; `*` alone is every one.
    credentials      pages may send cookies. Not with `*`: then every page could act for its reader.
    exposed          header fields of answers that pages may read.
    max_age_seconds  how long a browser remembers what it was told.

    A page may send any header field that it names, as with Kong and PostgREST: which ones clients send changes with
    each of their versions. Raises ValueError.
    """

    origins: Sequence[str] = ("*",)
    credentials: bool = False
    exposed: Sequence[str] = ()
    max_age_seconds: int = 3600

    def __post_init__(self) -> None:
        if self.credentials and "*" in self.origins:
            raise ValueError("every origin with credentials would let every page act for its reader")

    def of_answer(self, origin: bytes | None) -> Sequence[Header]:
        """
        Returns headers for every answer to a page of this origin; None: to whoever names none. Errors need them too, or
        the page could not read the reason. A cache is always told that they depend on who asks.
        """
        if origin is None or not self.allows(origin):
            return _VARIES
        said: list[Header] = [
            (b"access-control-allow-origin", b"*" if "*" in self.origins else origin),
            _VARY,
        ]
        if self.credentials:
            said.append((b"access-control-allow-credentials", b"true"))
        if self.exposed:
            said.append((b"access-control-expose-headers", ", ".join(self.exposed).encode("ascii")))
        return said

    def of_preflight(self, headers: Mapping[bytes, bytes], methods: str) -> list[Header]:
        """
        Returns the headers that a preflight's answer has besides those of `of_answer`. `headers` are the request's.
        """
        if not self.allows(headers[b"origin"]):
            return []
        said: list[Header] = [
            (b"access-control-allow-methods", methods.encode("ascii")),
            (b"access-control-max-age", b"%d" % self.max_age_seconds),
        ]
        names = headers.get(b"access-control-request-headers")
        if names and _NAMES.fullmatch(names):
            said.append((b"access-control-allow-headers", names))
        return said

    def allows(self, origin: bytes) -> bool:
        if "*" in self.origins:
            return True
        named = str(origin, "latin-1")
        return named in self.origins or any(
            _is_below(named, each) for each in self.origins if "://*." in each
        )


def _is_below(origin: str, pattern: str) -> bool:
    """Whether the origin is one of `https://*.example.com`: its name ends so, and begins with labels of DNS."""
    scheme, _, domain = pattern.partition("*")
    return (
        origin.startswith(scheme)
        and origin.endswith(domain)
        and _LABELS.fullmatch(origin[len(scheme) : -len(domain)]) is not None
    )


def is_same_origin(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the page that asks came from the host that it asks."""
    origin, host = headers[b"origin"], headers.get(b"host")
    return host is not None and origin.partition(b"://")[2].lower() == host.lower()


def is_preflight(method: str, headers: Mapping[bytes, bytes]) -> bool:
    """
    Whether the request is a preflight. Other OPTIONS requests are not (tus asks for the server's abilities with one).
    """
    return method == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers


async def answer_options(cors: Cors, headers: Mapping[bytes, bytes], allowed: str, send: Send) -> None:
    """What an OPTIONS is answered with; `allowed` are the methods, as `Allow` names them."""
    said = [(b"allow", allowed.encode("ascii"))]
    if is_preflight("OPTIONS", headers):
        said += cors.of_preflight(headers, allowed)
    await send({"type": "http.response.start", "status": 204, "headers": said})
    await send({"type": "http.response.body", "body": b""})
