"""
AWS Signature Version 4 as S3 has it: what is signed of a request, and with what. Nothing here knows a server.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, unquote_to_bytes

from msgspec import Struct

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = sha256().hexdigest()
_SPACES = re.compile(r"[ \t]+")
_KEPT = "-_.~"

Pairs = Sequence[tuple[str, str]]


class SigningScope(Struct, frozen=True):
    """`day` is YYYYMMDD. Keys are made for one day, region and service."""

    day: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def signing_key(secret: str, scope: SigningScope) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (scope.day, scope.region, scope.service, "aws4_request"):
        key = _hmac(key, part)
    return key


def signature_of(key: bytes, text: str) -> str:
    """In lower-case hexadecimal."""
    return hmac.digest(key, text.encode(), "sha256").hex()


def is_same(one: str, other: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def string_to_sign(amz_date: str, scope: SigningScope, canonical_request: str) -> str:
    return "\n".join((ALGORITHM, amz_date, str(scope), sha256(canonical_request.encode()).hexdigest()))


def canonical_request(
    method: str, path: str, query: Pairs, headers: Pairs, signed: Sequence[str], payload: str
) -> str:
    """
    `path` is the canonical one, `query` is decoded and without the signature; `headers` have lower-case names, `signed`
    are the names of those that count, in the order of the client.
    """
    given = "".join(f"{name}:{_values(headers, name)}\n" for name in signed)
    return "\n".join((method, path, _canonical_query(query), given, ";".join(signed), payload))


def canonical_path(raw: bytes) -> str:
    """The path as S3 encodes it: once, whatever the client left unescaped on its way."""
    return "/".join(quote(unquote_to_bytes(segment), safe=_KEPT) for segment in raw.split(b"/"))


def time_of(amz_date: str) -> datetime | None:
    """Of `20261129T103000Z`; None: it is not written so."""
    try:
        return datetime.strptime(amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _canonical_query(query: Pairs) -> str:
    encoded = sorted((quote(name, safe=_KEPT), quote(value, safe=_KEPT)) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _values(headers: Pairs, name: str) -> str:
    return ",".join(_SPACES.sub(" ", value).strip() for each, value in headers if each == name)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
