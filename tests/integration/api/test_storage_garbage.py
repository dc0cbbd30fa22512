"""Whatever is asked of the doors of Supabase's clients, it is no fault of ours: World fails a test that meets a 500."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from tests.support.world import World

ENVIRONMENT = {"OGEL_RATE_WRITE": "off", "OGEL_RATE_READ": "off"}
BASE = "/storage/v1"
REQUESTS = 400
TEXTS = (
    *(
        "",
        " ",
        "a",
        "a/b",
        "a//b",
        "/a",
        "a/",
        ".",
        "..",
        "a/../b",
        "%",
        "%zz",
        "#",
        "?",
        "\\",
        "'",
        '"',
        "<b>",
    ),
    *("\x00", "a\x00b", "\n", "\ud800", "é", "e\u0301", "日本", "👍🏽", "\u2028", "\u202e", "\uffff"),
    *("x" * 1025, "é" * 600, "null", "true", "-1", "0", "1e400", "9" * 30),
)
VALUES = (None, True, 0, -1, 1, 2**31, 2**63, 2**64, 1.5, 1e308, [], {}, [[]], [None], {"a": 1}, *TEXTS)
# What bodies have, with what is right there.
NAMES: Mapping[str, Any] = {
    "bucketId": "up",
    "sourceKey": "a",
    "destinationKey": "b",
    "destinationBucket": "up",
}
DOORS: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("POST", "/bucket", {"name": "n", "public": True, "file_size_limit": 5, "allowed_mime_types": ["a/b"]}),
    ("GET", "/bucket", {}),
    ("GET", "/bucket/{}", {}),
    ("PUT", "/bucket/{}", {"public": True, "file_size_limit": "1MB", "allowed_mime_types": None}),
    ("POST", "/bucket/{}/empty", {}),
    (
        "POST",
        "/object/list/{}",
        {"prefix": "", "limit": 5, "offset": 0, "search": "a", "sortBy": {"column": "name"}},
    ),
    ("POST", "/object/list-v2/{}", {"prefix": "", "limit": 2, "cursor": "x", "with_delimiter": True}),
    ("POST", "/object/move", NAMES),
    ("POST", "/object/copy", {**NAMES, "copyMetadata": True, "metadata": {}}),
    ("DELETE", "/object/{}", {"prefixes": ["a"]}),
    ("POST", "/object/sign/{}", {"expiresIn": 60, "paths": ["a"]}),
    ("POST", "/object/sign/{}/{}", {"expiresIn": 60, "transform": {"width": 5}}),
    ("POST", "/object/upload/sign/{}/{}", {}),
    ("PUT", "/object/upload/sign/{}/{}", {}),
    ("PUT", "/object/{}/{}", {}),
    ("DELETE", "/object/{}/{}", {}),
    *(("GET", f"/object/{kind}{{}}/{{}}", {}) for kind in ("", "info/", "public/", "sign/")),
)
PARAMETERS = ("limit", "offset", "sortColumn", "sortOrder", "search", "token", "download", "v", "redirect")
HEADERS = (
    "range",
    "if-none-match",
    "if-match",
    "content-type",
    "content-md5",
    "content-digest",
    "x-metadata",
)


def test_no_request_is_a_fault_of_ours(api: World) -> None:
    chosen = random.Random(20260)
    assert api("POST", f"{BASE}/bucket", {"name": "up"}).status == 200
    for _ in range(REQUESTS):
        method, path, right = chosen.choice(DOORS)
        while "{}" in path:
            path = path.replace("{}", chosen.choice(("up", "up", _escaped(chosen.choice(TEXTS)) or "a")), 1)
        body = {name: chosen.choice((value, chosen.choice(VALUES))) for name, value in right.items()}
        query = "&".join(
            f"{name}={_escaped(str(chosen.choice(VALUES)))}" for name in chosen.sample(PARAMETERS, 2)
        )
        headers = {name: _in_header(chosen.choice(TEXTS)) for name in chosen.sample(HEADERS, 2)}
        raw = json.dumps(body).encode() if right else chosen.choice((b"", b"x", b"\x00\xff" * 50))
        answer = api(method, f"{BASE}{path}?{query}", raw=raw, headers=headers)
        if answer.status >= 400 and answer.raw:
            assert answer.json["statusCode"] == str(answer.status), (method, path, answer.raw)


def _escaped(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"))


def _in_header(text: str) -> str:
    return text.encode("utf-8", "replace").decode("latin-1").replace("\n", "").replace("\x00", "")
