"""Limits and policies: what is answered otherwise, and why; what was done between lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.expectation import Difference, Instead, Json
from tests.golden.storage.replay import Replay
from tests.golden.storage.steps import Beginnings, Steps
from tests.golden.storage.transcript import Line

NO_HOLE = "A limit holds whether or not a client says how much will come."
TYPES_ARE_ONE = "A type is the same in capitals, and whatever parameters follow it (RFC 9110 §8.3.1)."
SEEN = "Who may see something is told that they may not change it; who may not see it, that it is not there."
UNDECIDED = "A policy that cannot be decided allows nothing, and says why: it is no fault of the server."
WHOLE_TOKENS = "A token of ours says whose it is, and for whom; one that does not is nobody's."
KEYS = "`apikey` is a key here, and needs no gateway to become one."
TOLD_ONCE = "It is denied in the same words as everything else."

DENIED: Json = {
    "status": 403,
    "body": Instead(
        {"statusCode": "403", "error": "Unauthorized", "message": "<any>", "code": "AccessDenied"}
    ),
}
NO_KEY: Json = {
    "status": 404,
    "body": Instead({"statusCode": "404", "error": "not_found", "message": "<any>", "code": "NoSuchKey"}),
}
NO_BUCKET: Json = {
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
NOBODY: Json = {
    "status": 401,
    "body": Instead(
        {"statusCode": "401", "error": "Unauthorized", "message": "<any>", "code": "AccessDenied"}
    ),
}
STORED: Json = {"status": 200, "body": Instead({"Key": "<any>", "Id": "<uuid>"})}
OF_ERRORS = Instead({"content-type": "application/json"})
LIMITS, RLS = "limits_mime.jsonl", "rls.jsonl"
_TOO_LARGE: Json = {
    "status": 413,
    "body": Instead(
        {"statusCode": "413", "error": "Payload too large", "message": "<any>", "code": "EntityTooLarge"}
    ),
}


def _columns(replay: Replay, line: Line) -> list[str]:
    """Of the row that the line before wrote."""
    [found] = replay.suite.sql(
        "SELECT owner::text, owner_id FROM storage.objects WHERE name LIKE '%/own.txt'"
    )
    recorded = replay.labels.fill(line.told["observed"])
    return [] if list(found) == [recorded["owner"], recorded["owner_id"]] else [f"the row has {found}"]


DIFFERENCES: Mapping[str, Sequence[Difference]] = {
    LIMITS: [
        Difference("one above limit chunked", _TOO_LARGE, NO_HOLE),
        Difference("get one above limit chunked", {**NO_KEY, "headers": OF_ERRORS}, NO_HOLE),
        Difference("mime binary image/PNG", STORED, TYPES_ARE_ONE),
        Difference(
            ["exact mime with parameter", "exact mime with parameter, no space"], STORED, TYPES_ARE_ONE
        ),
    ],
    RLS: [
        Difference("select: move own", DENIED, SEEN),
        Difference("delete: delete other", NO_KEY, SEEN),
        Difference(
            ["bucket: update as user without policy", "bucket: delete as user without policy"], DENIED, SEEN
        ),
        Difference("bucket: empty as user", {"body": {"message": "Access denied"}}, TOLD_ONCE),
        Difference(["policy raises", "policy fails on a type"], DENIED, UNDECIDED),
        Difference(
            [f"token {kind}: {what}" for kind in ("unknown_role", "no_role") for what in ("list", "buckets", "upload")],
            NOBODY,
            WHOLE_TOKENS,
        ),
        Difference(["token unknown_role: get", "token no_role: get"], NO_BUCKET, WHOLE_TOKENS),
        Difference("apikey header alone", {"status": 200, "body": Instead("<any>")}, KEYS),
    ],
}  # fmt: skip
STEPS: Steps = {RLS: {"columns of that row": _columns}}
BEGINNINGS: Beginnings = {}
