"""
Where Ogel answers otherwise than the recorded server, and why. A difference says what comes instead, so that one which
no longer is one fails the test of its file. Those of a part of storage stand in a file of that part's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.expectation import ALL, Difference, Instead, Json
from tests.golden.storage import (
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
# Files of what is not there yet, by who makes it.
PENDING: Mapping[str, Sequence[str]] = {
    "core": ["object_list", "object_list_v2", "move_copy_delete"],
    "dialect": [
        "buckets",
        "client_storage3_py",
        "client_storage_js",
        "errors",
        "health_status",
        "object_download",
        "object_info_head",
        "object_upload",
        "public",
    ],
    "http": ["conditional_range", "signed_upload", "signed_urls"],
    "rules": ["limits_mime", "rls"],
    "s3": ["s3"],
    "tus": ["client_tus", "tus"],
}

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


def everywhere(line: Line) -> Sequence[Difference]:
    """What is so in every answer."""
    if line.request is not None and line.request["path"].startswith("/s3"):
        return differences_s3.everywhere(line)
    body = line.answer["body"]
    if not isinstance(body, dict) or "statusCode" not in body:
        return []
    if body["message"] in _OF_TOKENS and body["code"] in ("AccessDenied", "InvalidRequest"):
        refused = {"statusCode": "401", "error": "Unauthorized", "message": "<any>", "code": "AccessDenied"}
        return [Difference(ALL, {"status": 401, "body": Instead(refused)}, WHO_IS_ASKING)]
    ours: Json = {"status": int(body["statusCode"])}
    if isinstance(body["statusCode"], int):  # by whatever stood before the recorded server's own routes
        ours["body"] = {"statusCode": str(body["statusCode"]), "code": "InvalidRequest"}
    return [Difference(ALL, ours, TRUE_STATUS)]
