"""Bodies as the transcripts write them down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from tests.golden.expectation import Json

BOUNDARY = "golden-boundary-0123456789"


def content_of(body: Any) -> bytes:
    """An object or array is JSON, a text itself; what is binary says how it is made."""
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    kind = body.get("kind") if isinstance(body, Mapping) else None
    if kind == "binary":
        return _binary(body)
    if kind == "multipart":
        return _multipart(body)
    return json.dumps(body).encode()


def _binary(body: Json) -> bytes:
    made = _made(body)
    assert (len(made), sha256(made).hexdigest()) == (body["bytes"], body["sha256"])
    return made


def _made(body: Json) -> bytes:
    size, gen = body["bytes"], body.get("gen")
    if "hex" in body:
        return bytes.fromhex(body["hex"])
    if gen == "pattern256":
        return (bytes(range(256)) * (size // 256 + 1))[:size]
    if isinstance(gen, str) and gen.startswith("repeat:"):
        return bytes.fromhex(gen.removeprefix("repeat:")) * size
    text: str = gen["prefix"] + gen["repeat"] * gen["times"] + gen["suffix"]
    return text.encode()


def _multipart(body: Json) -> bytes:
    pieces = []
    for part in body["parts"]:
        head = "".join(f"{name}: {value}\r\n" for name, value in _head(part).items())
        pieces.append(f"--{BOUNDARY}\r\n{head}\r\n".encode() + content_of(part["content"]) + b"\r\n")
    return b"".join(pieces) + f"--{BOUNDARY}--\r\n".encode()


def _head(part: Json) -> dict[str, str]:
    """Parts that client libraries sent have their headers, others what a form says."""
    if "content-disposition" in part:
        return {name: value for name, value in part.items() if name not in ("content", "decoded")}
    filename = f'; filename="{part["filename"]}"' if "filename" in part else ""
    head = {"content-disposition": f'form-data; name="{part["name"]}"{filename}'}
    return head | ({"content-type": part["content-type"]} if "content-type" in part else {})


def same_content(recorded: Json, raw: bytes) -> bool:
    return (len(raw), sha256(raw).hexdigest()) == (recorded["bytes"], recorded["sha256"])
