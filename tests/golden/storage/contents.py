"""Bodies as the transcripts write them down."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from xml.etree import ElementTree

from tests.golden.expectation import Json
from tests.golden.placeholders import PLACEHOLDER

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


def tree_of(document: str) -> Json:
    """XML as JSON: an element by its name, those of the same name in an array, whatever the order of others."""
    # A placeholder would be taken for an element. Elements of S3 begin with a capital letter.
    escaped = PLACEHOLDER.sub(lambda hit: f"&lt;{hit[0][1:]}", document)
    root = ElementTree.fromstring(escaped)  # noqa: S314 - ours
    return {_name(root): _content(root)}


def _content(element: ElementTree.Element) -> Any:
    if not len(element):
        return element.text or ""
    content: Json = {}
    for child in element:
        content.setdefault(_name(child), []).append(_content(child))
    return {name: found[0] if len(found) == 1 else found for name, found in content.items()}


def _name(element: ElementTree.Element) -> str:
    return re.sub(r"\{.*\}", "", element.tag)
