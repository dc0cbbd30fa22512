"""Errors as clients of Supabase Storage read them, with the status that the body says."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.types import Scope

from ogel.features.storage.errors import StorageError
from ogel.kernel.errors import OgelError
from ogel.runtime.http.problem import DigestMismatch
from ogel.runtime.http.route import Reply, Text

# Of errors that are not about storage, by status: `code` and `error`.
_NAMES: Mapping[int, tuple[str, str]] = {
    400: ("InvalidRequest", "Invalid request"),
    401: ("AccessDenied", "Unauthorized"),
    403: ("AccessDenied", "Unauthorized"),
    404: ("NoSuchKey", "not_found"),
    412: ("PreconditionFailed", "Precondition failed"),
    413: ("EntityTooLarge", "Payload too large"),
    415: ("InvalidMimeType", "invalid_mime_type"),
    416: ("InvalidRange", "Invalid range"),
    422: ("InvalidParameter", "Invalid parameter"),
    429: ("SlowDown", "Too many requests"),
    503: ("SlowDown", "Temporarily unavailable"),
}


def render_error(error: OgelError, scope: Scope) -> Reply:
    """`{statusCode, error, message, code}`."""
    if isinstance(error, StorageError):
        code, name = error.code, error.error
    elif isinstance(error, DigestMismatch):
        code = name = "InvalidChecksum"
    else:
        code, name = _NAMES.get(error.status, ("InternalError", "Internal error"))
    document = {"statusCode": str(error.status), "error": name, "message": error.message, "code": code}
    return Reply(Text(msgspec.json.encode(document), "application/json"), error.status)
