"""Errors as clients of GoTrue read them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.types import Scope

from ogel.features.accounts.errors import AccountError
from ogel.kernel.errors import OgelError
from ogel.runtime.http.exchange import header
from ogel.runtime.http.route import Reply, Text

# From this version on, which clients name in a header, errors have another shape.
_VERSION_HEADER = "x-supabase-api-version"
_NEWER = "2024-01-01"
# Codes of errors that are not about accounts, by status.
_CODES: Mapping[int, str] = {
    400: "validation_failed",
    401: "no_authorization",
    403: "not_admin",
    404: "validation_failed",
    408: "request_timeout",
    409: "conflict",
    413: "validation_failed",
    415: "validation_failed",
    422: "validation_failed",
    429: "over_request_rate_limit",
}


def render_error(error: OgelError, scope: Scope) -> Reply:
    """
    `{code: <status>, error_code, msg}`; to clients that name a version from 2024-01-01 on `{code: <error code>,
    message}`.
    """
    code = error.code if isinstance(error, AccountError) else _CODES.get(error.status, "unexpected_failure")
    headers = {"x-sb-error-code": code}
    document: dict[str, object]
    version = header(scope, _VERSION_HEADER.encode()) or ""
    if _is_newer(version):
        headers[_VERSION_HEADER] = version
        document = {"code": code, "message": error.message}
    else:
        document = {"code": error.status, "error_code": code, "msg": error.message}
    return Reply(Text(msgspec.json.encode(document), "application/json"), error.status, headers)


def _is_newer(version: str) -> bool:
    return len(version) == len(_NEWER) and version.replace("-", "").isdecimal() and version >= _NEWER
