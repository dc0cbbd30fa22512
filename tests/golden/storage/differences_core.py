"""Lists, moves and copies: what is answered otherwise, and why; what was done between lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.golden.expectation import Difference, Instead, Json
from tests.golden.storage.differences_dialect import ANY_SCRIPT, NO_METHOD, ONE_WAY, REFUSED, STRICT
from tests.golden.storage.replay import Replay
from tests.golden.storage.steps import Beginnings, Steps
from tests.golden.storage.transcript import Line, read

ALL_FOLDERS = "A folder is listed in both directions, also beside one whose name it begins with."
HELD = "What goes to a bucket is held to its rules, however it comes there."
BUCKET_GONE = "That a bucket is missing is told of each of the two."
UNSEEN = "What somebody may not see is not there."
LIST, LIST_V2, MOVES = "object_list.jsonl", "object_list_v2.jsonl", "move_copy_delete.jsonl"
_NO_RELATED: Json = {
    "error": "InvalidRequest",
    "message": "The related resource does not exist",
    "code": "InvalidRequest",
}
_NOT_TAKEN: Json = {
    "status": 415,
    "body": Instead(
        {
            "statusCode": "415",
            "error": "invalid_mime_type",
            "message": "mime type text/plain is not supported",
            "code": "InvalidMimeType",
        }
    ),
}
_MISSING: Json = {
    "status": 404,
    "body": {
        "statusCode": "404",
        "error": "not_found",
        "message": "Object not found",
        "code": "NoSuchKey",
    },
}
_FOLDER: Json = dict.fromkeys(
    ("id", "updated_at", "created_at", "last_accessed_at", "metadata")
)  # of which nothing is known


def _body(file: str, name: str) -> Any:
    return next(line.answer["body"] for line in read(file) if line.name == name)


def _with_dir2(listed: Sequence[Json]) -> Instead:
    at = next(at for at, each in enumerate(listed) if each["name"] == "dir")
    return Instead([*listed[:at], {"name": "dir2", **_FOLDER}, *listed[at:]])


DIFFERENCES: Mapping[str, Sequence[Difference]] = {
    LIST: [
        Difference("sort name desc", {"body": _with_dir2(_body(LIST, "sort name desc"))}, ALL_FOLDERS),
        Difference("limit as string", REFUSED, STRICT),
        Difference("GET is no list route", NO_METHOD, ONE_WAY),
    ],
    LIST_V2: [
        Difference(
            "limit 3 delimiter name desc page 1",
            {"body": {"nextCursorKey": "dir2", "folders": {1: {"key": "dir2", "name": "dir2/"}}}},
            ALL_FOLDERS,
        ),
        Difference(
            "limit 3 delimiter name desc page 2",
            {"body": {"folders": Instead([{"key": "dir", "name": "dir/", **_FOLDER}])}},
            ALL_FOLDERS,
        ),
    ],
    MOVES: [
        Difference(
            ["move from missing bucket", "copy from missing bucket"], {"body": _NO_RELATED}, BUCKET_GONE
        ),
        Difference(
            "move invalid destination key",
            {"status": 200, "body": Instead({"message": "Successfully moved"})},
            ANY_SCRIPT,
        ),
        Difference("copy invalid key", {"status": 200, "body": Instead("<any>")}, ANY_SCRIPT),
        Difference(["move to limited bucket", "copy to limited bucket"], _NOT_TAKEN, HELD),
        Difference("delete one as anon", _MISSING, UNSEEN),
        Difference(
            "delete one with json content type and no body",
            {"status": 200, "body": Instead({"message": "Successfully deleted"})},
            "No body is asked for.",
        ),
        Difference(
            "delete many, invalid key",
            {"body": Instead([*_body(MOVES, "delete many, invalid key"), "<any>"])},
            ANY_SCRIPT,
        ),
    ],
}


def _upload_many(replay: Replay, line: Line) -> list[str]:
    """`many/f000` to `many/f104`."""
    for number in range(105):
        headers = {"authorization": "<service_role>", "content-type": "text/plain"}
        path = f"/object/many/f{number:03}"
        answer = replay.ask({"method": "POST", "path": path, "headers": headers, "body": "x"})
        assert answer.status == 200, answer.raw
    return []


def _observe(replay: Replay, line: Line) -> list[str]:
    """How many there are, and the first and the last of them."""
    seen = line.told["observed"]
    listed = replay.ask(seen["request"]).json
    came = {"count": len(listed), "first": listed[0]["name"], "last": listed[-1]["name"]}
    return [
        f"{name}: recorded {seen[name]}, came {value}" for name, value in came.items() if value != seen[name]
    ]


STEPS: Steps = {
    LIST: {"seed many": _upload_many, "default limit": _observe, "limit 200": _observe},
}
BEGINNINGS: Beginnings = {}
