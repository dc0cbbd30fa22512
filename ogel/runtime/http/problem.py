"""Errors as clients of Ogel's own API see them: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import re

import msgspec
from starlette.types import Scope

from ogel.kernel.errors import OgelError
from ogel.runtime.http.exchange import exchange_of
from ogel.runtime.http.route import Reply, Text


class RequestTimeout(OgelError):
    status = 408
    title = "Request timeout"


class MethodNotAllowed(OgelError):
    status = 405
    title = "Method not allowed"

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"{method[:32]} is not allowed here; allowed: {allowed}.")
        self.allowed = allowed


class UnsupportedMedia(OgelError):
    status = 415
    title = "Unsupported media type"

    def __init__(self, taken: str) -> None:
        super().__init__(f"The Content-Type of the body is not the one that is taken here: {taken}.")


class PreconditionFailed(OgelError):
    status = 412
    title = "Precondition failed"


class DigestMismatch(OgelError):
    status = 400
    title = "Digest mismatch"


class RangeNotSatisfiable(OgelError):
    status = 416
    title = "Range not satisfiable"

    def __init__(self, size: int) -> None:
        super().__init__(f"The range begins behind the end of what has {size} bytes.")
        self.size = size


class FieldProblem(msgspec.Struct, frozen=True):
    path: str
    message: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """`type` is stable and for programs, `detail` is for people, and `errors` names each invalid field."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldProblem] = []


def problem(error: OgelError, scope: Scope) -> Reply:
    """Builds the problem document of an error."""
    document = Problem(
        type=f"urn:ogel:{_kebab(error.kind)}",
        title=error.title,
        status=error.status,
        detail=error.message,
        request_id=exchange_of(scope).request_id,
        errors=[FieldProblem(each.path, each.message) for each in error.errors],
    )
    return Reply(Text(msgspec.json.encode(document) + b"\n", "application/problem+json"), error.status)


def _kebab(name: str) -> str:
    return "internal-error" if name == "OgelError" else re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
