"""Buckets and objects by the door of S3's clients."""

from __future__ import annotations

import hmac
import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha1, sha256
from typing import Any
from zlib import crc32

import pytest

from ogel.features.storage.s3 import xml
from tests.support.process import ADMIN_KEY, Response
from tests.support.s3 import S3, code, signing_at, texts
from tests.support.world import World


def b64(value: bytes) -> str:
    return b64encode(value).decode()


def md5_of(content: bytes) -> bytes:
    return md5(content, usedforsecurity=False).digest()


ENVIRONMENT = {"OGEL_S3_HOST": "s3.example.com"}


@pytest.fixture(scope="module")
def s3(api: World) -> S3:
    made = api("POST", "/api/s3-keys", {"name": "tests"})
    assert made.status == 201, made.raw
    return S3(api, made.json["access_key_id"], made.json["secret_access_key"])


def test_an_object_is_stored_read_listed_copied_and_deleted(s3: S3) -> None:
    assert s3("PUT", "/first").status == 200
    assert s3("PUT", "/first").status == 409
    assert texts(s3("GET", "/"), "Name") == ["first"]
    headers = {"content-type": "text/plain", "x-amz-meta-colour": "red", "cache-control": "max-age=60"}
    put = s3("PUT", "/first/dir//%C3%BC%20%2B%25.txt", b"hello world", headers)
    assert put.status == 200, put.raw
    assert put.headers["etag"] == '"5eb63bbbe01eeed093cb22bb8f5acdc3"'
    got = s3("GET", "/first/dir//%C3%BC%20%2B%25.txt", headers={"range": "bytes=6-"})
    assert (got.status, got.raw, got.headers["content-type"]) == (206, b"world", "text/plain")
    assert (got.headers["x-amz-meta-colour"], got.headers["cache-control"]) == ("red", "max-age=60")
    head = s3("HEAD", "/first/dir//%C3%BC%20%2B%25.txt")
    assert (head.status, head.headers["content-length"]) == (200, "11")
    listed = s3("GET", "/first?list-type=2&delimiter=%2F")
    assert (texts(listed, "Prefix"), texts(listed, "KeyCount")) == (["", "dir/"], ["1"])
    copied = s3("PUT", "/first/copy", headers={"x-amz-copy-source": "/first/dir//%C3%BC%20%2B%25.txt"})
    assert (copied.status, texts(copied, "ETag")) == (200, [put.headers["etag"]]), copied.raw
    body = b"<Delete><Object><Key>copy</Key></Object><Object><Key>none</Key></Object></Delete>"
    deleted = s3("POST", "/first?delete", body)
    assert texts(deleted, "Key") == ["copy", "none"], deleted.raw
    assert s3("DELETE", "/first/dir//%C3%BC%20%2B%25.txt").status == 204
    assert s3("DELETE", "/first/dir//%C3%BC%20%2B%25.txt").status == 204
    assert code(s3("GET", "/first/copy")) == "NoSuchKey"
    assert s3("DELETE", "/first").status == 204
    assert code(s3("GET", "/first")) == "NoSuchBucket"


def test_what_is_signed_wrongly_is_refused(api: World, s3: S3) -> None:
    assert s3("PUT", "/signed").status == 200
    assert s3("PUT", "/signed/a", b"secret").status == 200
    id, secret = s3.key
    assert code(S3(api, id, "wrong" * 8)("GET", "/signed/a")) == "SignatureDoesNotMatch"
    assert code(S3(api, "OGELAAAAAAAAAAAAAAAA", secret)("GET", "/signed/a")) == "InvalidAccessKeyId"
    assert code(S3(api, "AKIAIOSFODNN7EXAMPLE", secret)("GET", "/signed/a")) == "InvalidAccessKeyId"
    assert S3(api, id, secret, region="eu-north-1")("GET", "/signed/a").raw == b"secret"
    assert S3(api, id, secret, prefix="/storage/v1/s3")("GET", "/signed/a").raw == b"secret"
    for target, headers in (
        ("/s3/signed/a", {}),
        ("/s3/signed/a", {"authorization": f"Bearer {ADMIN_KEY}"}),
        ("/s3/signed?delete", {}),
        ("/s3", {"apikey": ADMIN_KEY}),
    ):
        method = "POST" if "delete" in target else "GET"
        refused = s3.send(method, target, headers=headers)
        assert (refused.status, code(refused)) == (403, "AccessDenied"), target
    old = s3.send("GET", f"/s3/signed/a?AWSAccessKeyId={id}&Signature=x&Expires=2000000000")
    older = s3.send("GET", "/s3/signed/a", headers={"authorization": f"AWS {id}:x"})
    for refused in (old, older):
        assert (refused.status, code(refused)) == (400, "InvalidRequest")
        assert b"version 2" in refused.raw
    # Headers that only the holder of the secret may add.
    url = s3.presigned("PUT", "/signed/b")
    stolen = s3.send("PUT", url, headers={"x-amz-copy-source": "signed/a"})
    assert (stolen.status, code(stolen)) == (403, "AccessDenied")
    for authorization in (
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=0",
        f"AWS4-HMAC-SHA256 Credential={id}/20260101/x/s3/aws4_request, SignedHeaders=date, Signature={'0' * 64}",
        f"AWS4-HMAC-SHA256 Credential={id}/20260101/x/s3/aws4_request, SignedHeaders=host, Signature={'é' * 64}",
        f"AWS4-HMAC-SHA256 Credential={id}/20260101/x/sqs/aws4_request, SignedHeaders=host, Signature={'0' * 64}",
    ):
        headers = {
            "authorization": authorization.encode().decode("latin-1"),
            "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        }
        refused = s3.send("GET", "/s3/signed/a", headers=headers)
        assert (refused.status, code(refused)) == (400, "AuthorizationHeaderMalformed"), authorization


def test_signatures_end_with_their_time(s3: S3) -> None:
    assert s3("PUT", "/times").status == 200
    assert s3("PUT", "/times/a", b"x").status == 200
    url = s3.presigned("GET", "/times/a")
    assert s3.send("GET", url).raw == b"x"
    for other in (s3.send("GET", url.replace("/a?", "/b?")), s3.send("DELETE", url)):
        assert (other.status, code(other)) == (403, "SignatureDoesNotMatch")
    now = datetime.now(UTC)
    with signing_at(now - timedelta(minutes=10)):
        good, over = s3.presigned("GET", "/times/a", 700), s3.presigned("GET", "/times/a", 500)
    assert s3.send("GET", good).raw == b"x"
    assert code(s3.send("GET", over)) == "AccessDenied"
    assert (
        code(s3.send("GET", s3.presigned("GET", "/times/a", 604_801))) == "AuthorizationQueryParametersError"
    )
    for minutes, expected in ((-14, 200), (14, 200), (-16, 403), (16, 403)):
        with signing_at(now + timedelta(minutes=minutes)):
            assert s3("GET", "/times/a").status == expected, minutes


def test_who_has_a_signed_url_sends_the_content_that_it_is_for(s3: S3) -> None:
    assert s3("PUT", "/for").status == 200
    hashed = sha256(b"this").hexdigest()
    url = s3.presigned("PUT", f"/for/a?X-Amz-Content-Sha256={hashed}", payload=hashed)
    other = s3.send("PUT", url, b"that")
    assert (other.status, code(other)) == (400, "XAmzContentSHA256Mismatch")
    assert s3("GET", "/for/a").status == 404
    assert (s3.send("PUT", url, b"this").status, s3("GET", "/for/a").raw) == (200, b"this")
    any = s3.presigned("PUT", "/for/b?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD")
    assert s3.send("PUT", any, b"that").status == 200


def test_a_body_is_held_against_what_came_with_it(s3: S3) -> None:
    assert s3("PUT", "/checked").status == 200
    content = b"123456789"
    right = {
        "content-md5": md5_of(content),
        "x-amz-checksum-crc32": crc32(content).to_bytes(4, "big"),
        "x-amz-checksum-crc32c": bytes.fromhex("e3069283"),
        "x-amz-checksum-crc64nvme": bytes.fromhex("ae8b14860a799888"),
        "x-amz-checksum-sha1": sha1(content, usedforsecurity=False).digest(),
        "x-amz-checksum-sha256": sha256(content).digest(),
    }
    for name, value in right.items():
        stored = s3("PUT", "/checked/a", content, {name: b64(value)})
        assert stored.status == 200, (name, stored.raw)
        assert name == "content-md5" or stored.headers[name] == b64(value)
        refused = s3("PUT", "/checked/b", content, {name: b64(bytes(len(value)))})
        assert (refused.status, code(refused)) == (400, "BadDigest"), name
        for garbage in ("garbage", b64(value + b"!")):
            malformed = s3("PUT", "/checked/b", content, {name: garbage})
            assert malformed.status == 400, (name, garbage)
            assert code(malformed) in ("InvalidDigest", "InvalidRequest"), (name, garbage)
    other = s3("PUT", "/checked/b", content, payload=sha256(b"other").hexdigest())
    assert code(other) == "XAmzContentSHA256Mismatch", other.raw
    assert code(s3("PUT", "/checked/b", content, payload="garbage")) == "InvalidRequest"
    assert s3("GET", "/checked/b").status == 404
    asked = s3("GET", "/checked/a", headers={"x-amz-checksum-mode": "ENABLED"})
    assert asked.headers["x-amz-checksum-sha256"] == b64(right["x-amz-checksum-sha256"])


def chunks(
    s3: S3, sent: Mapping[str, str], pieces: Sequence[bytes], trailer: Mapping[str, str] | None
) -> bytes:
    """A body in signed chunks, by AWS' description of it."""
    date, (_, secret) = sent["x-amz-date"], s3.key
    scope = (date[:8], "local", "s3", "aws4_request")
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    last, written = sent["authorization"].rpartition("=")[2], b""

    def sign(kind: str, *hashed: bytes) -> str:
        nonlocal last
        hashes = [sha256(each).hexdigest() for each in hashed]
        lines = [f"AWS4-HMAC-SHA256-{kind}", date, "/".join(scope), last, *hashes]
        last = hmac.digest(key, "\n".join(lines).encode(), "sha256").hex()
        return last

    for piece in (*pieces, b""):
        written += f"{len(piece):x};chunk-signature={sign('PAYLOAD', b'', piece)}\r\n".encode() + piece
        written += b"\r\n" if piece else b""
    if trailer is None:
        return written + b"\r\n"
    lines = [f"{name}:{value}\n" for name, value in trailer.items()]
    signature = sign("TRAILER", "".join(lines).encode())
    lines.append(f"x-amz-trailer-signature:{signature}\n\n")
    return written + "".join(lines).replace("\n", "\r\n").encode()


def test_bodies_come_in_chunks_signed_or_not(s3: S3) -> None:
    assert s3("PUT", "/chunks").status == 200
    pieces = [b"a" * 65536, b"b" * 65536, b"c" * 100]
    content = b"".join(pieces)
    right = {"x-amz-checksum-crc32": b64(crc32(content).to_bytes(4, "big"))}
    signed, both = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    unsigned = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    def put(
        kind: str, trailer: Mapping[str, str] | None, spoil: Callable[[bytes], bytes] = bytes
    ) -> Response:
        headers = {"x-amz-decoded-content-length": str(len(content)), "content-encoding": "aws-chunked"}
        if trailer:
            headers["x-amz-trailer"] = ",".join(trailer)
        sent = s3.signed("PUT", "/chunks/a", b"", headers, payload=kind)
        if kind == unsigned:
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n"
            body += "".join(f"{name}:{value}\r\n" for name, value in (trailer or {}).items()).encode()
            body += b"\r\n"
        else:
            body = chunks(s3, sent, pieces, trailer)
        return s3.send("PUT", "/s3/chunks/a", spoil(body), sent)

    spoilt: Sequence[tuple[str, Callable[[bytes], bytes]]] = [
        ("IncompleteBody", lambda body: body[: len(body) // 2]),
        ("IncompleteBody", lambda body: body.replace(b"\r\n", b"\n", 1)),
        ("IncompleteBody", lambda body: b"g" + body),
        ("IncompleteBody", lambda body: b"x" * 3000 + body),
        ("IncompleteBody", lambda body: body.replace(b"aaa", b"aaaa", 1)),
    ]
    for kind, trailer in ((signed, None), (both, right), (unsigned, right), (unsigned, {})):
        stored = put(kind, trailer)
        assert stored.status == 200, (kind, stored.raw)
        assert stored.headers["etag"] == f'"{md5_of(content).hex()}"'
        assert stored.headers.get("x-amz-checksum-crc32") == (trailer or {}).get("x-amz-checksum-crc32")
        assert s3("GET", "/chunks/a").raw == content
        assert s3("DELETE", "/chunks/a").status == 204
        for expected, spoil in spoilt:
            refused = put(kind, trailer, spoil)
            assert (refused.status, code(refused)) == (400, expected), (kind, refused.raw)
        if trailer != {}:
            changed = put(kind, trailer, lambda body: body.replace(b"aaa", b"aab", 1))
            assert code(changed) == ("BadDigest" if kind == unsigned else "SignatureDoesNotMatch")
            assert s3("GET", "/chunks/a").status == 404
    wrong = {"x-amz-checksum-crc32": "AAAAAA=="}
    assert code(put(both, wrong)) == code(put(unsigned, wrong)) == "BadDigest"
    tampered = put(both, right, lambda body: body.replace(b"trailer-signature:", b"trailer-signature:0"))
    assert code(tampered) == "SignatureDoesNotMatch"
    many = s3.signed("PUT", "/chunks/a", b"", {"x-amz-decoded-content-length": "20000"}, payload=unsigned)
    small = s3.send("PUT", "/s3/chunks/a", b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n", many)
    assert code(small) == "IncompleteBody"
    lacking = s3.send("PUT", "/s3/chunks/a", b"", s3.signed("PUT", "/chunks/a", payload=unsigned))
    assert (lacking.status, code(lacking)) == (411, "MissingContentLength")
    assert s3("GET", "/chunks/a").status == 404


def test_browsers_run_nothing_of_what_signed_urls_show(s3: S3) -> None:
    assert s3("PUT", "/shown").status == 200
    assert s3("PUT", "/shown/a", b"<script>", {"content-type": "text/html"}).status == 200
    assert s3("PUT", "/shown/b", b"<script>", {"content-type": "text/plain"}).status == 200
    for path in ("/shown/a?x=", "/shown/b?response-content-type=text%2Fhtml"):
        shown = s3.send("GET", s3.presigned("GET", path))
        assert (shown.status, shown.headers["content-type"]) == (200, "text/html"), shown.raw
        assert "sandbox" in shown.headers["content-security-policy"]
        assert shown.headers["x-content-type-options"] == "nosniff"
    named = s3("GET", "/shown/b?response-content-disposition=attachment%0D%0Ax%3Ay")
    assert code(named) == "InvalidArgument"


def test_what_users_wrote_elsewhere_is_said_in_headers(api: World, s3: S3) -> None:
    assert s3("PUT", "/said").status == 200
    assert s3("PUT", "/said/a", b"x", {"x-amz-meta-city": "Zürich", "x-amz-meta-n": "1"}).status == 200
    assert s3("GET", "/said/a").headers["x-amz-meta-city"] == "=?UTF-8?B?WsO8cmljaA==?="
    assert code(s3("PUT", "/said/b", b"x", {"x-amz-meta-long": "x" * 3000})) == "MetadataTooLarge"
    assert code(s3("PUT", "/said/b", b"x", {"x-amz-storage-class": "GLACIER"})) == "InvalidStorageClass"
    refused = s3("PUT", "/said/b", b"x", {"x-amz-server-side-encryption": "AES256"})
    assert (refused.status, code(refused)) == (501, "NotImplemented")
    assert s3("GET", "/said/b").status == 404


def test_bodies_of_xml_are_bounded_and_have_no_entities(s3: S3) -> None:
    assert s3("PUT", "/xml").status == 200
    deep = b"<Delete>" + b"<Object>" * 50_000
    bomb = b'<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>'
    file = b'<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&a;</Key></Object></Delete>'
    many = b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1001 + b"</Delete>"
    for body in (
        b"",
        b"garbage",
        b"<Delete>",
        b"<Other/>",
        b"<Delete/>",
        deep,
        bomb,
        file,
        many,
        b"\xff\xfe",
    ):
        refused = s3("POST", "/xml?delete", body)
        assert (refused.status, code(refused)) == (400, "MalformedXML"), body[:60]
    # A text that comes in many pieces is put together once.
    began = time.process_time()
    pieces = b"<Delete><Object><Key>" + b"aaaaaaaaaaaaaaaa<x/>" * 99_000 + b"</Key></Object></Delete>"
    assert s3("POST", "/xml?delete", pieces).status == 200
    assert time.process_time() - began < 5
    long = s3("POST", "/xml?delete", b"<Delete>" + b" " * 3_000_000)
    assert (long.status, code(long)) == (413, "EntityTooLarge")


def test_others_are_served_while_a_long_list_is_read(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    assert s3("PUT", "/long").status == 200
    threads, read = list[str](), xml.parsed

    def parsed(body: bytes, root: str) -> xml.Element:
        threads.append(threading.current_thread().name)
        return read(body, root)

    monkeypatch.setattr(xml, "parsed", parsed)
    for count in (1, 1000):
        keys = b"".join(b"<Object><Key>%0100d</Key></Object>" % number for number in range(count))
        assert s3("POST", "/long?delete", b"<Delete>" + keys + b"</Delete>").status == 200
    assert threads[0] != threads[1]


def test_names_and_parameters_that_nobody_can_have(s3: S3) -> None:
    assert s3("PUT", "/names").status == 200
    for name in ("..", "a/../b", ".", "x" * 1025, "%0a", "%C2%85"):
        refused = s3("PUT", f"/names/{name}", b"x")
        assert refused.status in (400, 404), name
        assert s3("GET", f"/names/{name}").status == 404
    for query in (
        "max-keys=-1", "max-keys=x", "list-type=3", "encoding-type=base64", "list-type=2&continuation-token=%C3%BC",
        "list-type=2&continuation-token=__", "uploads&max-uploads=x",
    ):  # fmt: skip
        refused = s3("GET", f"/names?{query}")
        assert refused.status == 400, (query, refused.raw)
        assert code(refused) in ("InvalidArgument", "InvalidParameter"), query
    for query in ("acl", "policy", "cors", "lifecycle", "website", "object-lock", "replication"):
        assert s3("GET", f"/names?{query}").status == 501, query
    assert code(s3("GET", "/names/a?versionId=x")) == "NoSuchVersion"
    for method, query in (
        ("PUT", "uploadId=x&partNumber=1"), ("POST", "uploadId=x"), ("DELETE", f"uploadId={'0' * 32}"),
        ("GET", "uploadId=00000000-0000-0000-0000-000000000000"),
    ):  # fmt: skip
        part = b"<Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
        body = b"<CompleteMultipartUpload>" + part + b"</CompleteMultipartUpload>"
        gone = s3(method, f"/names/a?{query}", body if method == "POST" else b"")
        assert (gone.status, code(gone)) == (404, "NoSuchUpload"), gone.raw
    assert s3("DELETE", "/names").status == 204


def test_what_is_said_in_headers_comes_back(s3: S3) -> None:
    assert s3("PUT", "/headers").status == 200
    said = {
        "content-encoding": "gzip",
        "content-disposition": 'attachment; filename="x"',
        "content-language": "de",
        "expires": "Wed, 21 Oct 2037 07:28:00 GMT",
    }
    assert s3("PUT", "/headers/a", b"x", {**said, "content-encoding": "aws-chunked, gzip"}).status == 200
    assert s3("PUT", "/headers/b", headers={"x-amz-copy-source": "headers/a"}).status == 200
    for name in ("a", "b"):
        got = s3("HEAD", f"/headers/{name}").headers
        assert {header: got[header] for header in said} == said, name
    assert code(s3("PUT", "/headers/c", b"x", {"content-language": "ü"})) == "InvalidArgument"
    assert code(s3("PUT", "/headers/c", b"x", {"if-match": "*"})) == "NoSuchKey"
    assert code(s3("PUT", "/headers/a", b"x", {"if-match": '"other"'})) == "PreconditionFailed"
    assert code(s3("DELETE", "/headers/a", headers={"if-match": '"other"'})) == "PreconditionFailed"
    assert code(s3("GET", "/headers/a?partNumber=2")) == "InvalidPart"
    assert s3("GET", "/headers/a?partNumber=1").status == 200


def form(fields: Mapping[str, str], content: bytes) -> bytes:
    lines = [
        f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    lines.append('--b\r\ncontent-disposition: form-data; name="file"; filename="f.txt"\r\n\r\n')
    return "".join(lines).encode() + content + b"\r\n--b--\r\n"


def test_forms_are_held_to_all_of_their_policy(s3: S3) -> None:
    assert s3("PUT", "/old").status == 200
    id, secret = s3.key
    soon = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    good: dict[str, Any] = {
        "expiration": soon,
        "conditions": [{"bucket": "old"}, ["StArTs-WiTh", "$KEY", "up/"]],
    }

    def post(policy: object, content: bytes = b"x", **changed: str) -> Response:
        encoded = b64(json.dumps(policy).encode())
        signature = b64(hmac.digest(secret.encode(), encoded.encode(), "sha1"))
        fields = {"key": "up/${filename}", "AWSAccessKeyId": id, "policy": encoded, "signature": signature}
        sent = {"content-type": "multipart/form-data; boundary=b"}
        return s3.send("POST", "/s3/old", form({**fields, **changed}, content), sent)

    assert (post(good).status, s3("GET", "/old/up/f.txt").raw) == (204, b"x")
    told = post(good, success_action_status="201")
    assert told.status == 403, told.raw  # the policy says nothing of it
    good["conditions"] += [["eq", "$success_action_status", "201"], ["content-length-range", 0, 3]]
    told = post(good, success_action_status="201")
    assert (told.status, texts(told, "Key")) == (201, ["up/f.txt"])
    named = {"success_action_status": "201"}
    for policy, content, changed, expected in (
        (good, b"long", named, (400, "EntityTooLarge")),
        (good, b"x", {}, (403, "AccessDenied")),
        (good, b"x", {**named, "key": "down/a"}, (403, "AccessDenied")),
        (good, b"x", {**named, "key": ""}, (400, "InvalidArgument")),
        (good, b"x", {**named, "signature": ""}, (403, "SignatureDoesNotMatch")),
        (good, b"x", {**named, "AWSAccessKeyId": "x"}, (403, "InvalidAccessKeyId")),
        ({**good, "expiration": "2020-01-01T00:00:00Z"}, b"x", named, (403, "AccessDenied")),
        ({**good, "expiration": "tomorrow"}, b"x", named, (400, "InvalidPolicyDocument")),
        ({**good, "conditions": good["conditions"][1:]}, b"x", named, (403, "AccessDenied")),  # for any bucket
        ({"conditions": []}, b"x", named, (400, "InvalidPolicyDocument")),
        ({"expiration": soon}, b"x", named, (400, "InvalidPolicyDocument")),
        ({**good, "conditions": [{}]}, b"x", named, (400, "InvalidPolicyDocument")),
        ({**good, "conditions": [["content-length-range", -1, 3]]}, b"x", named, (400, "InvalidPolicyDocument")),
        ({**good, "conditions": [["content-length-range", 3]]}, b"x", named, (400, "InvalidPolicyDocument")),
        ({**good, "conditions": "all"}, b"x", named, (400, "InvalidPolicyDocument")),
        ("garbage", b"x", named, (400, "InvalidPolicyDocument")),
    ):  # fmt: skip
        refused = post(policy, content, **changed)
        assert (refused.status, code(refused)) == expected, (policy, changed, refused.raw)
    assert texts(s3("GET", "/old"), "Key") == ["up/f.txt"]


def test_a_name_of_its_own_has_s3_at_its_root_and_buckets_below(api: World, s3: S3) -> None:
    def at(host: str) -> S3:
        return S3(api, *s3.key, prefix="", host=host)

    root, bucket = at("s3.example.com"), at("by.name.s3.example.com:8080")
    assert root("PUT", "/by.name").status == 200
    assert bucket("PUT", "/a/b", b"below").status == 200
    assert (root("GET", "/by.name/a/b").raw, s3("GET", "/by.name/a/b").raw) == (b"below", b"below")
    assert texts(bucket("GET", "/?prefix=a"), "Key") == ["a/b"]
    assert bucket.send("GET", bucket.presigned("GET", "/a/b")).raw == b"below"
    assert "by.name" in texts(root("GET", "/"), "Name")
    for path in ("/api/me", "/openapi.json", "/storage/v1/version"):
        there = root.send("GET", path, headers={"authorization": f"Bearer {ADMIN_KEY}"})
        assert (there.status, code(there)) == (403, "AccessDenied"), path
    assert root.send("GET", "/%zz").status == 400
    assert at("s3.example.com.evil.test").send("GET", "/openapi.json").status == 200
    assert bucket("DELETE", "/a/b").status == 204 and bucket("DELETE", "/").status == 204


def test_a_signed_url_says_what_is_to_be_known_of_an_upload(s3: S3) -> None:
    assert s3("PUT", "/hoisted").status == 200
    said = "x-amz-meta-colour=red&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32"
    put = s3.send("PUT", s3.presigned("PUT", f"/hoisted/a?{said}&x-id=PutObject"), b"content")
    assert put.status == 200, put.raw
    got = s3("GET", "/hoisted/a")
    assert (got.raw, got.headers["x-amz-meta-colour"]) == (b"content", "red")
    copied = s3.send("PUT", s3.presigned("PUT", "/hoisted/b?x-amz-copy-source=hoisted%2Fa"))
    assert (copied.status, s3("GET", "/hoisted/b").raw) == (200, b"content")
    tagged = s3.send("PUT", s3.presigned("PUT", "/hoisted/c?x-amz-tagging=a%3Db"), b"x")
    assert (tagged.status, code(tagged)) == (501, "NotImplemented")
    changed = s3.send("PUT", s3.presigned("PUT", "/hoisted/c?x-amz-meta-a=b").replace("=b&", "=c&"), b"x")
    assert code(changed) == "SignatureDoesNotMatch"
