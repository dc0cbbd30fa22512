"""Who signed a request: found in its head or its query, as one of the credentials that the shell looks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from msgspec.structs import replace
from starlette.types import Scope

from ogel.features.storage.s3.errors import malformed_signature, old_signature
from ogel.features.storage.s3.signature import (
    ALGORITHM,
    UNSIGNED,
    Pairs,
    SigningScope,
    canonical_path,
    canonical_request,
    signature_of,
    signing_key,
    string_to_sign,
)
from ogel.features.storage.s3_keys.key import S3
from ogel.runtime.http.credentials import Credential
from ogel.runtime.http.path import without_origin

_MOST_PARAMETERS = 50
_MOST_SIGNED_HEADERS = 100
_CREDENTIAL = re.compile(r"([^/\s]{1,2048})/([0-9]{8})/([A-Za-z0-9-]{1,64})/(s3)/aws4_request")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"\s*([A-Za-z]+)=([^,]*)\s*")
# Proxies in front of us may have been asked for another name than the one they ask for.
_HOST_BEFORE_PROXIES = "x-forwarded-host"


class SignedWith(Credential, frozen=True, kw_only=True):
    """
    `value` is the access key id.

    expires_seconds  after `amz_date`, of a presigned URL; None: it is no such.
    token            of a session that acts; None: who holds the key does.
    """

    amz_date: str
    scope: SigningScope
    signature: str
    expires_seconds: int | None = None
    token: str | None = None

    def key(self, secret: str) -> bytes:
        return signing_key(secret, self.scope)


class Signed(SignedWith, frozen=True, kw_only=True):
    """
    A request, as `canonical_request` takes it. `payload` is the hash of the body, or what stands in its place: the
    value of x-amz-content-sha256.
    """

    method: str
    path: str
    query: Pairs
    headers: Pairs
    signed_headers: tuple[str, ...]
    payload: str

    def expected(self, key: bytes) -> str:
        request = canonical_request(
            self.method, self.path, self.query, self.headers, self.signed_headers, self.payload
        )
        return signature_of(key, string_to_sign(self.amz_date, self.scope, request))

    def as_asked_of_a_proxy(self) -> Signed | None:
        """The same as the client saw it, when a proxy asked us by another name."""
        forwarded = next((value for name, value in self.headers if name == _HOST_BEFORE_PROXIES), None)
        if forwarded is None:
            return None
        headers = [(name, forwarded if name == "host" else value) for name, value in self.headers]
        return replace(self, headers=headers)

    @property
    def unsigned_headers(self) -> list[str]:
        """Those of S3's own that came unsigned: whoever passes a URL on must not add to what it asks for."""
        signed = set(self.signed_headers)
        return [name for name, _ in self.headers if name.startswith("x-amz-") and name not in signed]


def signed(scope: Scope) -> Signed | None:
    """
    Returns None when nothing is signed. Raises StorageError AuthorizationHeaderMalformed, and InvalidRequest for what
    is signed as before version 4.
    """
    headers = [(str(name, "latin-1"), str(value, "utf-8", "replace")) for name, value in scope["headers"]]
    query = _pairs(scope["query_string"])
    given = dict(reversed(headers))
    authorization = given.get("authorization", "")
    if authorization.startswith(f"{ALGORITHM} "):
        return _of_header(scope, headers, query, given, _parts(authorization))
    parameters = dict(reversed(query))
    if "X-Amz-Signature" in parameters:
        return _of_query(scope, headers, query, given, parameters)
    if authorization.startswith("AWS ") or ("AWSAccessKeyId" in parameters and "Signature" in parameters):
        raise old_signature()
    return None


def signing_of(headers: Mapping[bytes, bytes]) -> SignedWith | None:
    """What a request is signed with whose head says so, and not its query. Raises as `signed` does."""
    authorization = str(headers.get(b"authorization", b""), "latin-1")
    if not authorization.startswith(f"{ALGORITHM} "):
        return None
    parts = _parts(authorization)
    key_id, scope = credential_of(parts.get("Credential", ""))
    token = headers.get(b"x-amz-security-token")
    return SignedWith(
        S3,
        key_id,
        amz_date=str(headers.get(b"x-amz-date", b""), "latin-1"),
        scope=scope,
        signature=signature_in(parts.get("Signature", "")),
        token=None if token is None else str(token, "latin-1"),
    )


def _of_header(
    scope: Scope, headers: Pairs, query: Pairs, given: Mapping[str, str], parts: Mapping[str, str]
) -> Signed:
    payload = given.get("x-amz-content-sha256")
    if payload is None:
        raise malformed_signature("The header x-amz-content-sha256 is missing.")
    key_id, signing_scope = credential_of(parts.get("Credential", ""))
    return Signed(
        S3,
        key_id,
        amz_date=given.get("x-amz-date", ""),
        scope=signing_scope,
        signature=signature_in(parts.get("Signature", "")),
        token=given.get("x-amz-security-token"),
        method=scope["method"],
        path=canonical_path(without_origin(scope["raw_path"])),
        query=query,
        headers=headers,
        signed_headers=_signed_headers(parts.get("SignedHeaders", "")),
        payload=payload,
    )


def _of_query(
    scope: Scope, headers: Pairs, query: Pairs, given: Mapping[str, str], parameters: Mapping[str, str]
) -> Signed:
    if parameters.get("X-Amz-Algorithm") != ALGORITHM:
        raise malformed_signature(f"X-Amz-Algorithm is not {ALGORITHM}.")
    expires = parameters.get("X-Amz-Expires", "")
    seconds = int(expires) if expires.isascii() and expires.isdigit() and len(expires) < 10 else 0
    key_id, signing_scope = credential_of(parameters.get("X-Amz-Credential", ""))
    return Signed(
        S3,
        key_id,
        amz_date=parameters.get("X-Amz-Date", ""),
        scope=signing_scope,
        signature=signature_in(parameters["X-Amz-Signature"]),
        expires_seconds=seconds,
        token=parameters.get("X-Amz-Security-Token"),
        method=scope["method"],
        path=canonical_path(without_origin(scope["raw_path"])),
        query=[pair for pair in query if pair[0] != "X-Amz-Signature"],
        headers=headers,
        signed_headers=_signed_headers(parameters.get("X-Amz-SignedHeaders", "")),
        payload=parameters.get("X-Amz-Content-Sha256") or given.get("x-amz-content-sha256", UNSIGNED),
    )


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS
        )
    except ValueError as error:
        raise malformed_signature(f"The query has more than {_MOST_PARAMETERS} parameters.") from error


def _parts(authorization: str) -> dict[str, str]:
    found = {}
    for part in authorization.partition(" ")[2].split(",", 8):
        if match := _PART.fullmatch(part):
            found[match[1]] = match[2].strip()
    return found


def credential_of(text: str) -> tuple[str, SigningScope]:
    found = _CREDENTIAL.fullmatch(text)
    if found is None:
        raise malformed_signature("The credential is not written KEY/YYYYMMDD/REGION/s3/aws4_request.")
    return found[1], SigningScope(found[2], found[3], found[4])


def _signed_headers(text: str) -> tuple[str, ...]:
    names = tuple(text.split(";", _MOST_SIGNED_HEADERS))
    if "host" not in names or len(names) > _MOST_SIGNED_HEADERS or text != text.lower():
        raise malformed_signature("SignedHeaders are names in lower case, and host is among them.")
    return names


def signature_in(text: str) -> str:
    if not _SIGNATURE.fullmatch(text):
        raise malformed_signature("The signature has not 64 hexadecimal digits.")
    return text
