"""How an answer is held against a recorded one; README.md says what counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.golden.compare import compare, differs, same_text
from tests.golden.placeholders import Labels
from tests.golden.storage.contents import same_content, tree_of
from tests.support.process import Response

FORMATS: Mapping[str, str] = {
    "time:other": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)",
    "httpdate": r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT",
    "jsdate": r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d GMT.*",
    "unix": r"\d+",
    "tus": r"[\w-]+",
    "uploadid": r"[\w.~=-]+",
    "amzdate": r"\d{8}T\d{6}Z",
    "yyyymmdd": r"\d{8}",
    "hex64": r"[0-9a-f]{64}",
    "access_key": r"\w+",
    "host": r"[\w.:-]+",
    "boundary": r"[\w-]+",
}
# A label of these is whatever came last.
NEWEST = ("jwt",)
# They mean something: one that was not recorded is not sent.
_HEADERS = ("content-type", "content-range", "content-disposition", "location", "etag", "expires")


def compare_answer(
    expected: Mapping[str, Any], response: Response, labels: Labels, *, head: bool
) -> list[str]:
    if response.status != expected["status"]:
        return [f"status: recorded {expected['status']}, came {response.status} {response.raw[:300]!r}"]
    return [
        *_compare_headers(expected["headers"], response.headers, labels),
        *([] if head else _compare_body(expected["body"], response, labels)),
    ]


def _compare_headers(expected: Mapping[str, str], actual: Mapping[str, str], labels: Labels) -> list[str]:
    kind = expected.get("content-type", "")
    unknown = "json" in kind or "xml" in kind  # in which the same has another length
    lines = []
    for name in dict.fromkeys([*_HEADERS, *expected]):
        wanted, came = expected.get(name), actual.get(name)
        if (name == "content-length" and (unknown or came is None)) or name == "transfer-encoding":
            continue
        if name == "content-type" and unknown and came is not None:
            wanted, came = kind.partition(";")[0], came.partition(";")[0]
        if wanted is None or came is None:
            if wanted != came:
                lines.append(differs(f"header {name}", wanted, came))
        elif not _same_header(name, wanted, came, labels):
            lines.append(differs(f"header {name}", wanted, came))
    return lines


def _same_header(name: str, expected: str, actual: str, labels: Labels) -> bool:
    if name.startswith("access-control-") or name == "tus-extension":
        return _words(expected) == _words(actual)
    return same_text(expected, actual, labels)


def _words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",")}


def _compare_body(expected: Any, response: Response, labels: Labels) -> list[str]:
    raw = response.raw
    if isinstance(expected, dict) and expected.get("kind") == "binary":
        return [] if same_content(expected, raw) else [differs("body", expected, raw)]
    if isinstance(expected, str):
        return compare(expected, raw.decode("utf-8", "replace"), labels)
    try:
        if "xml" in response.headers.get("content-type", "") and raw:
            return compare(expected, tree_of(raw.decode()), labels)
        return compare(expected, json.loads(raw) if raw else None, labels)
    except ValueError:
        return [differs("body", expected, raw)]
