"""Errors as clients of Supabase Storage read them, with the status that the body says."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.types import Scope

from ogel.features.storage.errors import StorageError
from ogel.kernel.errors import Invalid, Malformed, NotFound, OgelError, Unauthenticated
from ogel.runtime.http.problem import DigestMismatch, MethodNotAllowed, RangeNotSatisfiable
from ogel.runtime.http.route import Reply, Text

# Of errors that are not about storage, by status: `code` and `error`.
_NAMES: Mapping[int, tuple[str, str]] = {
    400: ("InvalidRequest", "Error"),
    401: ("AccessDenied", "Unauthorized"),
    403: ("AccessDenied", "Unauthorized"),
    404: ("InvalidRequest", "Not Found"),
    405: ("InvalidRequest", "Method Not Allowed"),
    408: ("Aborted", "Request timeout"),
    412: ("PreconditionFailed", "Precondition failed"),
    413: ("EntityTooLarge", "Payload too large"),
    415: ("InvalidMimeType", "invalid_mime_type"),
    416: ("InvalidRange", "invalid_range"),
    429: ("SlowDown", "Too many requests"),
    503: ("SlowDown", "Temporarily unavailable"),
}
_PREFIX = "/storage/v1"


def render_error(error: OgelError, scope: Scope) -> Reply:
    """`{statusCode, error, message, code}`."""
    status = _status(error)
    if isinstance(error, StorageError):
        code, name = error.code, error.error
    elif isinstance(error, DigestMismatch):
        code = name = "InvalidChecksum"
    else:
        code, name = _NAMES.get(status, ("InternalError", "Internal"))
    document = {"statusCode": str(status), "error": name, "message": _message(error, scope), "code": code}
    return Reply(Text(msgspec.json.encode(document), "application/json"), status)


def _status(error: OgelError) -> int:
    if isinstance(error, Invalid | Malformed):  # this dialect does not tell them apart
        return 400
    return 401 if isinstance(error, Unauthenticated) else error.status


def _message(error: OgelError, scope: Scope) -> str:
    if isinstance(error, NotFound | MethodNotAllowed):
        return f"Route {scope['method'][:32]}:{scope['path'].removeprefix(_PREFIX)[:1024]} not found"
    return "invalid range provided" if isinstance(error, RangeNotSatisfiable) else error.message
