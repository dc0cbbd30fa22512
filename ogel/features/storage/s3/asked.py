"""A request as S3 means it: a bucket, a key, what is asked of it, and what is not offered here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from msgspec import Struct, structs

from ogel.features.storage.errors import access_denied
from ogel.features.storage.s3.errors import invalid_argument, not_implemented
from ogel.features.storage.s3_keys.service import BUCKETS
from ogel.kernel.principal import Caller, Principal
from ogel.runtime.http.route import Call

# What selects an operation of S3; those that nobody handles are refused, and never taken for the plain operation.
_SUBRESOURCES = frozenset({
    "accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering", "inventory",
    "legal-hold", "lifecycle", "location", "logging", "metadataConfiguration", "metadataTable", "metrics",
    "notification", "object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "renameObject",
    "replication", "requestPayment", "restore", "retention", "select", "session", "tagging", "torrent", "uploadId",
    "uploads", "versioning", "versions", "website",
})  # fmt: skip
# Parameters of a signed URL, which are no headers.
_OF_SIGNATURES = (
    "x-amz-algorithm", "x-amz-content-sha256", "x-amz-credential", "x-amz-date", "x-amz-expires",
    "x-amz-security-token", "x-amz-signature", "x-amz-signedheaders",
)  # fmt: skip
# Headers that ask for what would be silently missing.
_REFUSED = (
    b"x-amz-server-side-encryption", b"x-amz-server-side-encryption-customer-algorithm",
    b"x-amz-copy-source-server-side-encryption-customer-algorithm", b"x-amz-tagging", b"x-amz-object-lock-mode",
    b"x-amz-object-lock-legal-hold", b"x-amz-bucket-object-lock-enabled", b"x-amz-website-redirect-location",
    b"x-amz-write-offset-bytes",
)  # fmt: skip


class Asked(Struct, frozen=True):
    """`bucket` and `key` are as the path has them; empty where it has none. The first of a parameter counts."""

    call: Call[Any, Any]
    bucket: str
    key: str
    parameters: Mapping[str, str]

    @property
    def caller(self) -> Caller:
        return self.call.caller

    def number(self, name: str, default: int, least: int = 0, most: int | None = None) -> int:
        """Of a parameter. Raises StorageError InvalidArgument."""
        text = self.parameters.get(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise invalid_argument(f"{name} is not a number.")
        value = int(text)
        if value < least or (most is not None and value > most):
            raise invalid_argument(
                f"{name} takes {least} to {most}." if most else f"{name} is below {least}."
            )
        return value


Operation = Callable[[Asked], Awaitable[object]]


def handled_by(
    operations: Mapping[str, Operation], choose: Callable[[Asked], str | None] = lambda _: None
) -> Callable[[Call[Any, Any]], Awaitable[object]]:
    """
    A route's handler. `operations` are by subresource, "" is the plain one; `choose` may name another for what a header
    says. A key that may use some buckets only is held to them here, through which all requests come.
    """

    async def handle(call: Call[Any, Any]) -> object:
        parameters = dict(reversed(call.query))
        call = structs.replace(call, headers={**_hoisted(parameters), **call.headers})
        asked = Asked(call, call.path.get("bucket", ""), call.path.get("key", ""), parameters)
        for header in _REFUSED:
            if header in call.headers:
                raise not_implemented(f"What {header.decode()} asks for")
        if asked.bucket:
            check_bucket(call.principal, asked.bucket)
        named = [name for name in parameters if name in _SUBRESOURCES]
        chosen = choose(asked) or next((name for name in named if name in operations), "")
        if unknown := [name for name in named if name != chosen and name not in operations]:
            raise not_implemented(f"?{unknown[0]}")
        if chosen not in operations:
            raise not_implemented("This")
        if chosen and call.principal.kind == "anonymous":  # what only a form may be
            raise access_denied()
        return await operations[chosen](asked)

    return handle


def _hoisted(parameters: Mapping[str, str]) -> dict[bytes, bytes]:
    """
    Headers that a signed URL has among its parameters, as signers of JavaScript write them, so that whoever uploads
    need not know of them. Not checksums: those are of an empty body, as the signer has seen no other.
    """
    return {
        name.lower().encode("latin-1", "replace"): value.encode()
        for name, value in parameters.items()
        if (lowered := name.lower()).startswith("x-amz-")
        and lowered not in _OF_SIGNATURES
        and not lowered.startswith(("x-amz-checksum-", "x-amz-sdk-"))
    }


def check_bucket(principal: Principal, bucket: str) -> None:
    """Raises StorageError AccessDenied for one that the principal's key may not use."""
    only = principal.claims.get(BUCKETS)
    if principal.kind == "key" and only is not None and bucket not in only:
        raise access_denied()
