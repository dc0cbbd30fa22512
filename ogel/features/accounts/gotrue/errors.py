"""Errors as clients of GoTrue read them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from starlette.types import Scope

from ogel.features.accounts.errors import AccountError, BadToken, IdTokenRefused
from ogel.features.accounts.gotrue.bodies import bad_json
from ogel.features.accounts.passwords.policy import WeakPassword
from ogel.kernel.errors import Forbidden, Invalid, Malformed, OgelError, Unauthenticated
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
    413: "request_entity_too_large",
    415: "validation_failed",
    422: "validation_failed",
    429: "over_request_rate_limit",
}

_BEARER = re.compile(r"[Bb]earer \S+")
_NO_KEY = AccountError(401, "no_authorization", "This endpoint requires a valid Bearer token")
_OF_OPERATORS = ("/auth/v1/admin/", "/auth/v1/invite")
_NO_OPERATOR = AccountError(403, "not_admin", "User not allowed")
_NOBODY = AccountError(403, "bad_jwt", "invalid claim: missing sub claim")


def render_error(error: OgelError, scope: Scope) -> Reply:
    """
    `{code: <status>, error_code, msg}`; to clients that name a version from 2024-01-01 on `{code: <error code>,
    message}`.
    """
    error = _in_its_words(error, scope)
    code = error.code if isinstance(error, AccountError) else _CODES.get(error.status, "unexpected_failure")
    headers = {"x-sb-error-code": code}
    document: dict[str, object]
    if _is_newer(header(scope, _VERSION_HEADER.encode()) or ""):
        headers[_VERSION_HEADER] = _NEWER
        document = {"code": code, "message": error.message}
    else:
        document = {"code": error.status, "error_code": code, "msg": error.message}
    if isinstance(error, IdTokenRefused):
        del headers["x-sb-error-code"]
        document = {"error": error.reason, "error_description": error.message}
    if isinstance(error, WeakPassword):
        document["weak_password"] = {"reasons": error.reasons}
    return Reply(Text(msgspec.json.encode(document), "application/json"), error.status, headers)


def _in_its_words(error: OgelError, scope: Scope) -> OgelError:
    """
    Bodies that cannot be read are a case of their own there; what comes as a token and is none that is good here is
    forbidden, and so is a key that asks for what is a person's.
    """
    if isinstance(error, Malformed) or (isinstance(error, Invalid) and _is_of_body(error)):
        return bad_json(error.message)
    if isinstance(error, BadToken):
        return AccountError(403, error.code, error.message)
    if isinstance(error, Unauthenticated):
        came = _BEARER.fullmatch(header(scope, b"authorization") or "")
        return _NO_KEY if came is None else AccountError(403, "bad_jwt", error.message)
    if isinstance(error, Forbidden):
        return _NO_OPERATOR if scope["path"].startswith(_OF_OPERATORS) else _NOBODY
    return error


def _is_of_body(error: Invalid) -> bool:
    return bool(error.errors) and all(each.path.startswith("body") for each in error.errors)


def _is_newer(version: str) -> bool:
    return len(version) == len(_NEWER) and version.replace("-", "").isdecimal() and version >= _NEWER
