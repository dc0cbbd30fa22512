"""Limits and policies: what is answered otherwise, and why; what was done between lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.expectation import Difference, Instead, Json
from tests.golden.storage.differences_dialect import NOBODY, ROLES_COUNT, STORED
from tests.golden.storage.replay import Replay
from tests.golden.storage.steps import Beginnings, Steps
from tests.golden.storage.transcript import Line

SEEN = "What one may see and not change is refused; what one may not see is not there."
TYPES = "A type is the same in capitals, and whatever parameters follow it (RFC 9110 8.3.1)."
LIMITED = "A limit holds for what comes without a length, too."
_STORED: Json = {"status": 200, "body": Instead(STORED)}
_MISSING: Json = {
    "status": 404,
    "body": {
        "statusCode": "404",
        "error": "not_found",
        "message": "Object not found",
        "code": "NoSuchKey",
    },
}
_NO_BUCKET: Json = {
    "status": 404,
    "body": Instead(
        {
            "statusCode": "404",
            "error": "Bucket not found",
            "message": "Bucket not found",
            "code": "NoSuchBucket",
        }
    ),
}
_DENIED: Json = {
    "status": 403,
    "body": {
        "statusCode": "403",
        "error": "Unauthorized",
        "message": "Access denied",
        "code": "AccessDenied",
    },
}
_REFUSED: Json = {
    "status": 403,
    "body": {
        "statusCode": "403",
        "error": "Unauthorized",
        "message": "new row violates row-level security policy",
        "code": "AccessDenied",
    },
}
LIMITS, RLS = "limits_mime.jsonl", "rls.jsonl"
DIFFERENCES: Mapping[str, Sequence[Difference]] = {
    LIMITS: [
        Difference(
            "one above limit chunked",
            {
                "status": 413,
                "body": Instead(
                    {
                        "statusCode": "413",
                        "error": "Payload too large",
                        "message": "The object exceeded the maximum allowed size: 10 bytes",
                        "code": "EntityTooLarge",
                    }
                ),
            },
            LIMITED,
        ),
        Difference(
            "get one above limit chunked",
            {
                "status": 404,
                "headers": Instead({"content-type": "application/json"}),
                "body": Instead(_MISSING["body"]),
            },
            LIMITED,
        ),
        Difference("mime binary image/PNG", _STORED, TYPES),
        Difference(["exact mime with parameter", "exact mime with parameter, no space"], _STORED, TYPES),
    ],
    RLS: [
        Difference("select: move own", _REFUSED, SEEN),
        Difference("delete: delete other", _MISSING, SEEN),
        Difference(
            ["bucket: update as user without policy", "bucket: delete as user without policy"], _DENIED, SEEN
        ),
        Difference(
            "bucket: empty as user",
            {"body": {"message": "Access denied"}},
            "The reason is the same as elsewhere.",
        ),
        Difference(
            "policy raises",
            {"status": 400, "body": {"statusCode": "400", "message": "boom"}},
            "What a policy raises is for the client to read, and no fault of the server's.",
        ),
        Difference(
            "policy fails on a type",
            {"body": {"message": "A policy or trigger failed with the SQLSTATE 22P02"}},
            "The text could tell of rows that the client may not see.",
        ),
        Difference(["token unknown_role: get", "token no_role: get"], _NO_BUCKET, ROLES_COUNT),
        Difference(
            [
                f"token {token}: {asked}"
                for token in ("unknown_role", "no_role")
                for asked in ("list", "buckets", "upload")
            ],
            NOBODY,
            ROLES_COUNT,
        ),
        Difference(
            "apikey header alone",
            {"status": 200, "body": Instead("<any>")},
            "No gateway stands in front that makes an authorization of it.",
        ),
    ],
}


def _owners(replay: Replay, line: Line) -> list[str]:
    """The columns of what was stored in the line before."""
    [found] = replay.suite.sql(
        "SELECT owner::text, owner_id FROM storage.objects WHERE name LIKE '%/own.txt'"
    )
    wanted = replay.labels.fill(line.told["observed"])
    return [] if found == (wanted["owner"], wanted["owner_id"]) else [f"came {found}"]


STEPS: Steps = {RLS: {"columns of that row": _owners}}
BEGINNINGS: Beginnings = {}
