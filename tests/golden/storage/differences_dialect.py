"""Buckets, uploads and downloads: what is answered otherwise, and why; what was done between lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.expectation import Difference, Instead, Json
from tests.golden.storage.replay import Replay
from tests.golden.storage.steps import Beginnings, Steps
from tests.golden.storage.transcript import Line

RENDERED = "Pictures are rendered here, which the recorded server was told not to do."
ANY_SCRIPT = "A name is text of any script: no store and no path is made of it."
NO_DOTS = (
    "What no client asks for as it is written has no name: dot segments are resolved before they are sent."
)
ONE_WAY = "A path that is there is there for all methods: what another one answers is 405."
NOT_THERE = "An empty name, or one with a control character, is no path."
STRICT = "A field has the type that it has."
UNREADABLE = "The text does not show where objects are stored."
ROLES_COUNT = "What a user may do is the role of the account, not what a token says of it."
NOT_ALLOWED: Json = {"status": 405, "body": {"statusCode": "405", "error": "Method Not Allowed"}}
NO_PICTURE: Json = {"status": 422, "body": Instead("<any>")}
NO_METHOD: Json = {
    "status": 405,
    "body": {
        "statusCode": "405",
        "error": "Method Not Allowed",
        "message": "<any>",
        "code": "InvalidRequest",
    },
}
NO_PATH: Json = {
    "status": 404,
    "body": {"statusCode": "404", "error": "Not Found", "message": "<any>", "code": "InvalidRequest"},
}
REFUSED: Json = {
    "status": 400,
    "body": Instead({"statusCode": "400", "error": "Error", "message": "<any>", "code": "InvalidRequest"}),
}
NOBODY: Json = {
    "status": 401,
    "body": Instead(
        {"statusCode": "401", "error": "Unauthorized", "message": "<any>", "code": "AccessDenied"}
    ),
}


def _stored(*names: str) -> Difference:
    return Difference(
        [f"name {name}" for name in names], {"status": 200, "body": Instead(STORED)}, ANY_SCRIPT
    )


STORED: Json = {"Key": "<any>", "Id": "<uuid>"}
BUCKETS, ERRORS, HEALTH, UPLOAD, DOWNLOAD, INFO, PUBLIC = (
    f"{name}.jsonl"
    for name in (
        "buckets",
        "errors",
        "health_status",
        "object_upload",
        "object_download",
        "object_info_head",
        "public",
    )
)
DIFFERENCES: Mapping[str, Sequence[Difference]] = {
    BUCKETS: [
        Difference(
            [
                f'create name "{name}"'
                for name in ("ünï", "emoji😀", "a#b", "a%b", 'a\\"b', "a<b>", "a|b", "a\\\\b")
            ]
            + ['create name "ends--table-s3"'],
            {"status": 200, "body": Instead({"name": "<any>"})},
            ANY_SCRIPT,
        ),
        Difference(
            ['create name "."', 'create name ".."'],
            {
                "status": 400,
                "body": Instead(
                    {
                        "statusCode": "400",
                        "error": "Invalid Input",
                        "message": "Bucket name invalid",
                        "code": "InvalidBucketName",
                    }
                ),
            },
            NO_DOTS,
        ),
        Difference(
            ["upload into the bucket named ..", "upload into the bucket named ."],
            {
                "status": 404,
                "body": {
                    "statusCode": "404",
                    "error": "Bucket not found",
                    "message": "Bucket not found",
                    "code": "NoSuchBucket",
                },
            },
            NO_DOTS,
        ),
        Difference(["numeric name", "public as string"], REFUSED, STRICT),
        Difference(
            "wrong content type", {"status": 200, "body": Instead({"name": "x"})}, "The body is what it is."
        ),
        Difference(
            "empty as anon", {"body": {"message": "Access denied"}}, "The reason is the same as elsewhere."
        ),
        Difference("PATCH is no route", NOT_ALLOWED, ONE_WAY),
    ],
    ERRORS: [
        Difference(
            "400 invalid key", {"status": 200, "body": Instead({"Key": "e/[", "Id": "<uuid>"})}, ANY_SCRIPT
        ),
        Difference(
            "400 prototype poisoning",
            {"status": 200, "body": Instead({"name": "x"})},
            "Only in JavaScript is that name another than others.",
        ),
        Difference(["token unknown_role", "token no_role"], NOBODY, ROLES_COUNT),
        Difference(
            "413 JSON body above 1 MiB", {"body": {"error": "Payload too large"}}, "Errors are told alike."
        ),
        Difference("TRACE", NOT_ALLOWED, ONE_WAY),
        Difference("404 method", NO_METHOD, ONE_WAY),
        Difference(
            ["S3 unsigned", "S3 unsigned bucket"],
            {"body": '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><any></Error>'},
            "The root has no namespace, as S3 has it, without which boto3 reads no code.",
        ),
        Difference(
            "TUS no version",
            {"headers": {"content-length": "22"}, "body": "Tus-Resumable Required"},
            "A text is not a line.",
        ),
        Difference(
            "header over 16 KiB",
            {
                "status": 200,
                "headers": Instead({"content-type": "text/plain", "etag": "<any>"}),
                "body": Instead("1"),
            },
            "How large headers may be is for the server to say, which this test goes without.",
        ),
    ],
    HEALTH: [
        Difference(
            ["status", "status HEAD"],
            {"headers": {"content-type": "text/plain; charset=utf-8"}},
            "What has a length has a type.",
        ),
        Difference("version", {"headers": {"content-length": "<any>"}, "body": "<any>"}, "It is Ogel's."),
        Difference("unknown under object", NOT_ALLOWED, ONE_WAY),
        Difference("cdn purge", NO_PATH, "There is no CDN to be told."),
    ],
    UPLOAD: [
        _stored(
            "%C3%BCn%C3%AF.txt",
            "%F0%9F%98%80.txt",
            "h%23ash.txt",
            "pc%25t.txt",
            "br%5Bx%5D.txt",
            "br%7Bx%7D.txt",
            "lt%3Cx%3E.txt",
            "pipe%7C.txt",
            "back%5Cslash.txt",
            "tilde~.txt",
            "caret%5E.txt",
            "tick%60.txt",
            "dq%22.txt",
            "LLLL... (259 characters)",
            "MMMM... (500 characters)",
            "NNNN... (1024 characters)",
        ),
        _stored(".emptyFolderPlaceholder", "folder/.emptyFolderPlaceholder"),
        Difference(
            "name NNNN... (1025 characters)",
            {
                "status": 400,
                "body": {
                    "statusCode": "400",
                    "error": "InvalidKey",
                    "message": "<any>",
                    "code": "InvalidKey",
                },
            },
            "A fault of the client's is not told as one of the server's.",
        ),
        Difference(
            [f"name {name}" for name in ("..", "../x.txt", "a/../b.txt", "a/./b2.txt", ".")]
            + [f"name {name}" for name in ("%2e%2e/x2.txt", "a/%2E%2E/c.txt")],
            {"body": {"message": "<any>"}},
            UNREADABLE,
        ),
        Difference(
            [f"name {name}" for name in ("/lead.txt", "//lead2.txt")],
            {
                "status": 400,
                "body": Instead(
                    {"statusCode": "400", "error": "InvalidKey", "message": "<any>", "code": "InvalidKey"}
                ),
            },
            "A name does not begin with a slash: libraries take one away, and what it named was not found again.",
        ),
        Difference([f"name a%{code}b.txt" for code in ("00", "01", "0A", "09")], NO_PATH, NOT_THERE),
        Difference("no object name", NO_PATH, NOT_THERE),
        Difference(
            "multipart without boundary",
            {"body": {"error": "Error", "message": "<any>"}},
            "Errors are told alike.",
        ),
        Difference(
            "get mp12",
            {"headers": {"cache-control": "no-store"}},
            "What is no number of seconds is no max-age.",
        ),
        Difference("no object name no slash", NOT_ALLOWED, ONE_WAY),
        Difference("list everything", {"body": Instead("<any>")}, "There are other names, as above."),
        Difference(
            "get x-robots-tag",
            {"headers": {"x-robots-tag": "none"}},
            "No search engine lists what is stored.",
        ),
        Difference(
            "upload invalid x-robots-tag",
            {"status": 200, "body": Instead(STORED)},
            "What is not looked at is not refused.",
        ),
        Difference(
            "get cc3",
            {"headers": {"cache-control": "private, max-age=60, immutable"}},
            "Its owner cannot make a cache give to others what only who asks may read.",
        ),
    ],
    DOWNLOAD: [
        Difference("bucket only", NOT_ALLOWED, ONE_WAY),
        Difference("bucket with slash", NO_PATH, NOT_THERE),
        Difference(
            "download unicode name",
            {
                "headers": {
                    "content-disposition": "attachment; filename=\"_ x_y.txt\"; filename*=UTF-8''%C3%BC%20x%22y.txt"
                }
            },
            "Percent-encoding is for the name that says so (RFC 6266 4.3).",
        ),
        Difference(
            "render route with transformation off",
            NO_PICTURE,
            RENDERED,
        ),
    ],
    PUBLIC: [
        Difference(
            "bucket slash",
            {
                "status": 404,
                "body": {
                    "statusCode": "404",
                    "error": "Bucket not found",
                    "message": "Bucket not found",
                    "code": "NoSuchBucket",
                },
            },
            "It is looked for in a bucket of the name `public`.",
        ),
        Difference("render public with transformation off", NO_PICTURE, RENDERED),
    ],
}


def _remove_buckets(replay: Replay, line: Line) -> list[str]:
    replay.suite.clean()
    return []


STEPS: Steps = {BUCKETS: {"all buckets removed here": _remove_buckets}}
BEGINNINGS: Beginnings = {}
