"""Errors as clients of GoTrue read them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.types import Scope

from ogel.features.accounts.errors import AccountError, BadToken
from ogel.features.accounts.gotrue.bodies import bad_json
from ogel.features.accounts.passwords.policy import WeakPassword
from ogel.kernel.errors import Forbidden, Invalid, Malformed, OgelError, Unauthenticated
from ogel.runtime.http.exchange import exchange_of, header
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
    413: "request_entity_too_large",
    415: "validation_failed",
    422: "validation_failed",
    429: "over_request_rate_limit",
}


def render_error(error: OgelError, scope: Scope) -> Reply:
    """
    `{code: <status>, error_code, msg}`; to clients that name a version from 2024-01-01 on `{code: <error code>,
    message}`.
    """
    error = _in_its_words(error)
    status, code = _status_and_code(error, scope)
    headers = {"x-sb-error-code": code}
    document: dict[str, object]
    version = header(scope, _VERSION_HEADER.encode()) or ""
    if _is_newer(version):
        headers[_VERSION_HEADER] = version
        document = {"code": code, "message": error.message}
    else:
        document = {"code": status, "error_code": code, "msg": error.message}
    if isinstance(error, WeakPassword):
        document["weak_password"] = {"reasons": error.reasons}
    return Reply(Text(msgspec.json.encode(document), "application/json"), status, headers)


def _status_and_code(error: OgelError, scope: Scope) -> tuple[int, str]:
    """There, what comes as a token and is none that is good here is forbidden, a key on routes for people too."""
    if isinstance(error, AccountError):
        return error.status, error.code
    if isinstance(error, BadToken):
        return 403, error.code
    came = (header(scope, b"authorization") or "").lower().startswith("bearer ")
    is_key = exchange_of(scope).principal.kind != "user" and "/admin/" not in scope["path"]
    if (isinstance(error, Unauthenticated) and came) or (isinstance(error, Forbidden) and is_key):
        return 403, "bad_jwt"
    return error.status, _CODES.get(error.status, "unexpected_failure")


def _in_its_words(error: OgelError) -> OgelError:
    """Bodies that cannot be read are a case of their own there."""
    if isinstance(error, Malformed) or (isinstance(error, Invalid) and _is_of_body(error)):
        return bad_json(error.message)
    return error


def _is_of_body(error: Invalid) -> bool:
    return bool(error.errors) and all(each.path.startswith("body") for each in error.errors)


def _is_newer(version: str) -> bool:
    return len(version) == len(_NEWER) and version.replace("-", "").isdecimal() and version >= _NEWER
