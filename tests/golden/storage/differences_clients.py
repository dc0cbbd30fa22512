"""Client libraries: what they are answered and return otherwise than when they were recorded, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.golden.expectation import GONE, Difference, Instead, Json
from tests.golden.storage.differences_dialect import ANY_SCRIPT, RENDERED, STORED
from tests.golden.storage.steps import Beginnings, Steps
from tests.golden.storage.transcript import read

JAVASCRIPT, PYTHON = "client_storage_js.jsonl", "client_storage3_py.jsonl"
_RETURNED = " -> what the client returned"
_TOO_LARGE = "The object exceeded the maximum allowed size: 1000 bytes"


def _told(file: str, name: str) -> Any:
    return next(line.told for line in read(file) if line.name == name)


def _with_it(listed: Sequence[Json], etag: str) -> Instead:
    """The list, and behind all others what was refused when it was recorded."""
    metadata = {**listed[0]["metadata"], "eTag": etag, "size": 1, "contentLength": 1}
    metadata |= {"mimetype": "text/plain", "cacheControl": "max-age=3600"}
    times = dict.fromkeys(("created_at", "updated_at", "last_accessed_at"), "<time>")
    return Instead([*listed, {"name": "ünï.txt", "id": "<uuid>", "metadata": metadata, **times}])


_ETAGS = {JAVASCRIPT: '"03c7c0ace395d80182db07ae2c30f034"', PYTHON: '"c81e728d9d4c2f636f067f89cc14862c"'}


def _listed(file: str) -> Difference:
    listed = _told(file, "list")["response"]["body"]
    return Difference("list", {"body": _with_it(listed, _ETAGS[file])}, ANY_SCRIPT)


_UNICODE = Difference("upload unicode", {"status": 200, "body": Instead(STORED)}, ANY_SCRIPT)
_SIGNED = "/render/image/sign/js/buf.txt?token=<jwt:render>"
DIFFERENCES: Mapping[str, Sequence[Difference]] = {
    JAVASCRIPT: [
        _UNICODE,
        _listed(JAVASCRIPT),
        Difference(
            "createSignedUrl transform",
            {"body": {"signedURL": _SIGNED}, "decoded": {"<jwt:1>": GONE}},
            RENDERED,
        ),
    ],
    PYTHON: [_UNICODE, _listed(PYTHON)],
}
STEPS: Steps = {}
BEGINNINGS: Beginnings = {}

# By file and call: what is laid over what was returned.
RESULTS: Mapping[str, Mapping[str, Json | Instead]] = {
    JAVASCRIPT: {
        "upload unicode": {
            "data": {"path": "ünï.txt", "id": "<uuid>", "fullPath": "js/ünï.txt"},
            "error": Instead(None),
        },
        "upload too large": {"error": {"message": _TOO_LARGE}},
        "list": {
            "data": _with_it(_told(JAVASCRIPT, f"list{_RETURNED}")["client"]["data"], _ETAGS[JAVASCRIPT])
        },
        "createSignedUrl transform": {"data": {"signedUrl": f"http://<host>/storage/v1{_SIGNED}"}},
    },
    PYTHON: {
        "upload unicode": Instead(
            {"returned": {"path": "ünï.txt", "full_path": "py/ünï.txt", "fullPath": "py/ünï.txt"}}
        ),
        "upload too large": {
            "message": f"{{'statusCode': 413, 'error': Payload too large, 'message': {_TOO_LARGE}}}",
            "dict": {"message": _TOO_LARGE},
        },
        "list": {
            "returned": _with_it(_told(PYTHON, f"list{_RETURNED}")["client"]["returned"], _ETAGS[PYTHON])
        },
    },
}
