"""The type of a content: what its sender says, held against how it begins."""

from __future__ import annotations

import re

from msgspec.structs import replace

from ogel.features.storage.buckets.bucket import Bucket
from ogel.features.storage.buckets.rules import admitted
from ogel.features.storage.objects.object import Facts
from ogel.features.storage.sniffing.signatures import LOOSE, PACKED, SAME, SIGNATURES

BYTES, TEXT, HTML, XML, SVG = (
    "application/octet-stream",
    "text/plain",
    "text/html",
    "application/xml",
    "image/svg+xml",
)

# Byte order marks. UTF-16 has bytes that other texts have not.
_UTF8, _UTF16 = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
# Bytes that no text has (WHATWG MIME Sniffing, §3).
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
# How far into a file some write where the PDF begins.
_PDF_BYTES = 1024
_TAG = re.compile(rb"<(?:!doctype\s+)?([a-z][\w:-]*)", re.IGNORECASE)
_OF_PAGES = frozenset(
    b"html head body script iframe title style table meta link h1 h2 div span font br p a b i img".split()
)


def _is_prefix(name: str) -> bool:
    return name.endswith(("/", ".", "-"))


# Those that begin in a way of their own: who says one of them must send one.
_KNOWN = (
    frozenset(each.type for each in SIGNATURES)
    | {name for names in SAME.values() for name in names if not _is_prefix(name)}
) - LOOSE
# Those that are text, and so hold no bytes that no text has.
_TEXTS = re.compile(
    r"text/.*|application/(?:json|xml|javascript|yaml|toml|sql|graphql|x-ndjson)|.*\+(?:json|xml|yaml)"
)


def inspected(bucket: Bucket, facts: Facts, head: bytes) -> Facts:
    """
    Holds what a content is against the types that the bucket takes, as what it is called has been; `head` are its first
    bytes. A bucket that takes all is not told lies. Raises StorageError InvalidMimeType.
    """
    if not bucket.allowed_mime_types:
        return facts
    kind = reconciled(facts.content_type, head)
    return facts if kind == facts.content_type else admitted(bucket, replace(facts, content_type=kind))


def reconciled(declared: str, head: bytes) -> str:
    """What a content is: what it is called, unless it begins as something else."""
    called = declared.partition(";")[0].strip().lower()
    if not head or called == BYTES:
        return declared
    if called == "application/pdf" and b"%PDF-" in head[:_PDF_BYTES]:
        return declared
    seen = sniffed(head)
    if seen is None:
        return BYTES if _has_signature(called) or _TEXTS.fullmatch(called) else declared
    if seen in (TEXT, HTML, XML, SVG):
        return declared if _is_text(called, seen) else seen
    same = (called.startswith(name) if _is_prefix(name) else called == name for name in SAME.get(seen, ()))
    return declared if called == seen or any(same) else seen


def sniffed(head: bytes) -> str | None:
    """The type of what begins so; None: no type begins so that we know of, and it is no text."""
    for signature in SIGNATURES:
        if signature.fits(head):
            return signature.type
    if head.startswith(_UTF16):
        return TEXT
    text = head.removeprefix(_UTF8)
    if _BINARY.search(text):
        return None
    return _markup(text) or TEXT


def _markup(text: bytes) -> str | None:
    """What a text is by its first tag, behind comments and declarations; None: it begins with none."""
    rest, is_xml = text.lstrip(), False
    while rest.startswith((b"<!--", b"<?")):
        is_xml = is_xml or rest.startswith(b"<?xml")
        rest = rest.partition(b"-->" if rest.startswith(b"<!--") else b"?>")[2].lstrip()
    tag = found[1].lower() if (found := _TAG.match(rest)) else b""
    if tag.rpartition(b":")[2] == b"svg":
        return SVG
    if tag in _OF_PAGES:
        return HTML
    return XML if is_xml else None


def _is_text(called: str, seen: str) -> bool:
    """Whether a text that looks so may be called so. Most languages look like any text."""
    return seen in (SVG, XML) if called == SVG else not _has_signature(called) or called == "text/rtf"


def _has_signature(called: str) -> bool:
    return called in _KNOWN or called.startswith(PACKED)
