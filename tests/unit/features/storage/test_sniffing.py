"""What files are, by how they begin, and which are called something else."""

from __future__ import annotations

import gzip
import io
import struct
import time
import zipfile

import pytest
from PIL import Image

from ogel.features.storage.sniffing.sniff import reconciled, sniffed

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0"
MP4 = b"\0\0\0\x20ftypisom\0\0\2\0"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64)
EXE = b"MZ\x90\0" + bytes(60)
PAGE = b"<!-- hi -->\n<!DOCTYPE html><html><script>alert(1)</script>"
DRAWING = (
    b'<?xml version="1.0"?><!-- a --><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x"><svg xmlns="x"/>'
)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    return file.getvalue()


def pictures() -> dict[str, bytes]:
    made = {}
    for kind in ("png", "jpeg", "gif", "webp", "tiff", "bmp", "ico", "avif", "pdf", "jpeg2000"):
        file = io.BytesIO()
        Image.new("RGB", (16, 16), "red").save(file, kind)
        made[kind] = file.getvalue()
    return made


def test_what_is_made_by_others_is_recognized() -> None:
    types = {"ico": "image/x-icon", "pdf": "application/pdf", "jpeg2000": "image/jp2"}
    for kind, content in pictures().items():
        assert sniffed(content[:4096]) == types.get(kind, f"image/{kind}"), kind
    assert sniffed(zipped()) == "application/zip"
    assert sniffed(gzip.compress(b"x")) == "application/gzip"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (MP4, "video/mp4"),
        (OLE, "application/x-ole-storage"),
        (EXE, "application/x-msdownload"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"ID3\3\0\0", "audio/mpeg"),
        (bytes(257) + b"ustar\0", "application/x-tar"),
        (PAGE, "text/html"),
        (b"\xef\xbb\xbf  <svg>", "image/svg+xml"),
        (DRAWING, "image/svg+xml"),
        (b"<s:svg xmlns:s='x'>", "image/svg+xml"),
        (b"<?xml version='1.0'?><note/>", "application/xml"),
        # Words that begin as a file of another kind would.
        (b"MZansi is a country", "text/plain"),
        (b"ID3 tags are old", "text/plain"),
        (b"BZhello", "text/plain"),
        (b"BM is no picture", "text/plain"),
        (b"removed", "text/plain"),
        ("日本\tü\n".encode(), "text/plain"),
        ("ü".encode("utf-16"), "text/plain"),
        (b"caf\xe9", "text/plain"),
        (b"", "text/plain"),
        (b"\0\1\2\3", None),
        (struct.pack("<8I", *range(8)), None),
    ],
)
def test_a_beginning_tells_the_type(head: bytes, expected: str | None) -> None:
    assert sniffed(head) == expected


@pytest.mark.parametrize(
    ("declared", "head"),
    [
        ("image/png", PNG),
        ("IMAGE/PNG; x=y", PNG),
        ("image/jpg", JPEG),
        ("audio/mp4", MP4),
        ("video/quicktime", MP4),
        ("application/pdf", b"junk before\n" + PDF),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", zipped()),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", OLE),
        ("application/epub+zip", zipped()),
        ("application/vnd.ms-excel", OLE),
        ("application/vnd.ms-excel", b"a;b\n1;2\n"),
        ("image/svg+xml", DRAWING),
        ("image/svg+xml", b"<?xml version='1.0'?>" + b"<!-- long -->" * 400),
        ("image/svg+xml", gzip.compress(b"<svg/>")),
        ("text/plain", PAGE),
        ("text/csv", b"caf\xe9;1\n"),
        ("application/json", b'{"a": 1}'),
        ("application/x-thing", b"\0\1\2"),
        ("application/x-thing", b"text"),
        ("application/octet-stream", PNG),
        ("image/png", b""),
    ],
)
def test_what_is_called_by_one_of_its_names_keeps_it(declared: str, head: bytes) -> None:
    assert reconciled(declared, head) == declared


@pytest.mark.parametrize(
    ("declared", "head", "kind"),
    [
        ("image/png", JPEG, "image/jpeg"),
        ("image/png", PAGE, "text/html"),
        ("image/png", DRAWING, "image/svg+xml"),
        ("image/png", EXE, "application/x-msdownload"),
        ("image/png", b"1", "text/plain"),
        ("image/png", b"\0\1\2\3", "application/octet-stream"),
        ("image/svg+xml", PAGE, "text/html"),
        ("image/svg+xml", b"alert(1)", "text/plain"),
        ("application/pdf", b"MZ" + bytes(40), "application/x-msdownload"),
        ("application/pdf", PAGE, "text/html"),
        ("text/plain", EXE, "application/x-msdownload"),
        ("text/plain", b"\0\1\2\3", "application/octet-stream"),
        ("application/json", zipped(), "application/zip"),
        ("application/x-thing", PNG, "image/png"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", PAGE, "text/html"),
        ("video/mp4", zipped(), "application/zip"),
    ],
)
def test_what_lies_is_called_what_it_is(declared: str, head: bytes, kind: str) -> None:
    assert reconciled(declared, head) == kind


def test_no_beginning_takes_long_to_read() -> None:
    began = time.process_time()
    for head in (
        b"<!---->" * 585,
        b"<!--" * 1024,
        b"<?xml?>" * 585,
        b" " * 4096,
        b"<!doctype " * 400,
        b"<" * 4096,
    ):
        sniffed(head + b"\0"[:0])
    assert time.process_time() - began < 0.1
