"""Verifying a request by Standard Webhooks (specification 1.0.0), strictly, and saying all that is wrong with it."""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from ogel.features.webhooks.secrets.secret import Secret, parse_public_key

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
HEADERS = (ID, TIMESTAMP, SIGNATURE)
TOLERANCE_SECONDS = 300
MOST_SIGNATURES = 100

# With dots in ids, one signature would fit several ways to cut id, timestamp and body.
_ID = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,256}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_DIGEST_BYTES = {"v1": 32, "v1a": 64}

Code = Literal[
    "missing_header",
    "repeated_header",
    "bad_id",
    "bad_timestamp",
    "too_old",
    "too_new",
    "bad_signature",
    "unknown_version",
    "no_key",
    "no_match",
]


class SignatureProblem(Struct, frozen=True):
    code: Code
    message: str


class VerifyingKey(Protocol):
    @property
    def version(self) -> str: ...

    def verifies(self, signature: bytes, content: bytes) -> bool: ...


class SharedKey:
    version = "v1"

    def __init__(self, key: bytes) -> None:
        self._key = key

    def verifies(self, signature: bytes, content: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(self._key, content, "sha256"), signature)


class PublicKey:
    version = "v1a"

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        self._key = Ed25519PublicKey.from_public_bytes(key)

    def verifies(self, signature: bytes, content: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


def key_of_secret(text: str) -> VerifyingKey:
    """`whsec_…`, or `whsk_…`, whose public half it is then. Raises ValueError saying what is wrong."""
    secret = Secret.parse(text)
    return SharedKey(secret.material) if secret.public_key is None else key_of_public(secret.public_key)


def key_of_public(text: str) -> VerifyingKey:
    """`whpk_…`. Raises ValueError saying what is wrong."""
    return PublicKey(parse_public_key(text))


def verify(
    headers: Iterable[tuple[str, str]],
    body: bytes,
    keys: Sequence[VerifyingKey],
    at: float,
    tolerance_seconds: float | None = TOLERANCE_SECONDS,
) -> Sequence[SignatureProblem]:
    """
    Nothing for a request that one of `keys` signed, at a time no further from the Unix time `at` than the tolerance
    (None: at any time). Header names come in any case, and others than ours are ignored.
    """
    found, problems = _our_headers(headers)
    if problems:
        return problems
    id, timestamp, signatures = (found[name] for name in HEADERS)
    if not _ID.fullmatch(id):
        problems.append(
            SignatureProblem("bad_id", f"{ID} is not 1 to 256 visible ASCII characters without a dot")
        )
    if not _TIMESTAMP.fullmatch(timestamp):
        message = f"{TIMESTAMP} {timestamp[:40]!r} is no whole number of Unix seconds"
        problems.append(SignatureProblem("bad_timestamp", message))
    if problems:
        return problems
    content = f"{id}.{timestamp}.".encode() + body
    return [
        *_wrong_time(int(timestamp), at, tolerance_seconds),
        *_wrong_signatures(signatures, content, keys),
    ]


def _our_headers(headers: Iterable[tuple[str, str]]) -> tuple[Mapping[str, str], list[SignatureProblem]]:
    found: dict[str, str] = {}
    problems = []
    for name, value in headers:
        name = name.lower()
        if name in found:
            problems.append(SignatureProblem("repeated_header", f"{name} is given more than once"))
        if name in HEADERS:
            found[name] = value
    missing = [name for name in HEADERS if name not in found]
    return found, problems + [SignatureProblem("missing_header", f"{name} is missing") for name in missing]


def _wrong_time(timestamp: int, at: float, tolerance: float | None) -> list[SignatureProblem]:
    if tolerance is None:
        return []
    age = int(at) - timestamp
    if age > tolerance:
        return [SignatureProblem("too_old", f"{TIMESTAMP} is too old by {age - tolerance:.0f} s")]
    if -age > tolerance:
        return [
            SignatureProblem("too_new", f"{TIMESTAMP} is too far in the future by {-age - tolerance:.0f} s")
        ]
    return []


def _wrong_signatures(header: str, content: bytes, keys: Sequence[VerifyingKey]) -> list[SignatureProblem]:
    """One valid signature is enough; problems of the others are reported only when there is none."""
    problems = []
    tokens = header.split(" ")
    for token in filter(None, tokens[:MOST_SIGNATURES]):
        problem = _wrong_signature(token, content, keys)
        if problem is None:
            return []
        problems.append(problem)
    if len(tokens) > MOST_SIGNATURES:
        problems.append(
            SignatureProblem("bad_signature", f"{SIGNATURE} has more than {MOST_SIGNATURES} signatures")
        )
    return problems or [SignatureProblem("bad_signature", f"{SIGNATURE} is empty")]


def _wrong_signature(token: str, content: bytes, keys: Sequence[VerifyingKey]) -> SignatureProblem | None:
    version, comma, encoded = token.partition(",")
    if not comma:
        return SignatureProblem("bad_signature", f"{token[:40]!r} is not a version, a comma and a signature")
    if version not in _DIGEST_BYTES:
        return SignatureProblem(
            "unknown_version", f"{version[:40]!r} is no known version of signatures; v1 and v1a are"
        )
    try:
        signature = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if b64encode(signature).decode() != encoded or not encoded:
        return SignatureProblem("bad_signature", f"what follows {version!r} is not base64")
    if len(signature) != _DIGEST_BYTES[version]:
        wanted = _DIGEST_BYTES[version]
        return SignatureProblem(
            "bad_signature", f"{version} has {len(signature)} bytes; a signature has {wanted}"
        )
    suitable = [key for key in keys if key.version == version]
    if not suitable:
        return SignatureProblem("no_key", f"no key to check {version} with was given")
    if not any(key.verifies(signature, content) for key in suitable):
        return SignatureProblem(
            "no_match", f"no key given made this {version} signature of this id, timestamp and body"
        )
    return None
