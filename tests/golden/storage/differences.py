"""
Where Ogel answers otherwise than the recorded server, and why. A difference says what comes instead, so that one which
no longer is one fails the test of its file. Those of a part of storage stand in a file of that part's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from tests.golden.expectation import ALL, GONE, Difference, Instead, Json
from tests.golden.storage import (
    differences_clients,
    differences_core,
    differences_dialect,
    differences_http,
    differences_rules,
    differences_s3,
    differences_tus,
)
from tests.golden.storage.steps import Beginnings, Steps
from tests.golden.storage.transcript import Line

_PARTS = (
    differences_clients,
    differences_core,
    differences_dialect,
    differences_http,
    differences_rules,
    differences_s3,
    differences_tus,
)
DIFFERENCES: Mapping[str, Sequence[Difference]] = {
    file: known for part in _PARTS for file, known in part.DIFFERENCES.items()
}
STEPS: Steps = {file: steps for part in _PARTS for file, steps in part.STEPS.items()}
BEGINNINGS: Beginnings = {file: begin for part in _PARTS for file, begin in part.BEGINNINGS.items()}

TRUE_STATUS = "The status is the one that the body says, so that proxies, browsers and libraries know it."
WHO_IS_ASKING = "Who cannot be told is 401, whatever was wrong with the token; the text says what."
# Texts about a token, of a library or of the recorded server's, by its way of looking at it.
_OF_TOKENS = (
    '"exp" claim timestamp check failed',
    "signature verification failed",
    '"alg" (Algorithm) Header Parameter value not allowed',
    "Invalid Compact JWS",
    "headers must have required property 'authorization'",
)
# Routes that serve what not everybody may read.
_PRIVATE = re.compile(r"/object/(?!public/|info/public/|sign/)|/render/image/authenticated/")


def everywhere(line: Line) -> Sequence[Difference]:
    """What is so in every answer."""
    if line.request is not None and line.request["path"].startswith("/s3"):
        return differences_s3.everywhere(line)
    return [Difference(ALL, ours, why) for ours, why in _everywhere(line) if ours]


def _everywhere(line: Line) -> Sequence[tuple[Json, str]]:
    assert line.request is not None
    status, method = line.answer["status"], line.request["method"]
    is_preflight = method == "OPTIONS" and "tus-version" not in line.answer["headers"]
    return [
        (PREFLIGHT if is_preflight else _refused(line.answer["body"]), TRUE_STATUS),
        ({"status": 404} if (method, status) == ("HEAD", 400) else {}, TRUE_STATUS),
        (
            {"headers": {"content-range": "bytes */<int>"}} if status == 416 else {},
            "A client is told how long it is (RFC 9110 15.5.17).",
        ),
        (
            {"headers": {"content-type": GONE}} if status == 304 else {},
            "A client that has it knows of what type it is (RFC 9110 15.4.5).",
        ),
        (_served(line), "Caches are told what only who asks may read; what is saved has a name."),
    ]


PREFLIGHT: Json = {"status": 204, "headers": {"content-type": GONE}, "body": Instead(None)}


def _refused(body: Any) -> Json:
    if not isinstance(body, dict) or "statusCode" not in body:
        return {}
    if body["message"] in _OF_TOKENS and body["code"] in ("AccessDenied", "InvalidRequest"):
        refused = {"statusCode": "401", "error": "Unauthorized", "message": "<any>", "code": "AccessDenied"}
        return {"status": 401, "body": Instead(refused)}
    changes: Json = {"statusCode": str(body["statusCode"])}
    if isinstance(body["statusCode"], int):  # by whatever stood before the recorded server's own routes
        changes["code"] = "InvalidRequest"
        if body["statusCode"] == 400:
            changes |= {"error": "Error", "message": "<any>"}
    elif body["error"] == "FastifyError":
        changes["error"] = "Error"
    if body["message"] == "The object exceeded the maximum allowed size":
        changes["message"] = "The object exceeded the maximum allowed size: <int> bytes"
    return {"status": int(body["statusCode"]), "body": changes}


def _served(line: Line) -> Json:
    assert line.request is not None
    headers, path = line.answer["headers"], line.request["path"]
    ours: Json = {}
    if "cache-control" in headers and _PRIVATE.match(path):
        ours["cache-control"] = f"private, {headers['cache-control']}"
    if headers.get("content-disposition") == "attachment;":
        name = unquote(path).rpartition("/")[2]
        ours["content-disposition"] = f"attachment; filename={name}; filename*=UTF-8''{name}"
    return {"headers": ours} if ours else {}
