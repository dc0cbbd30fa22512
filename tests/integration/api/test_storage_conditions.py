"""Objects written and deleted only when nothing has changed, and files that are not what they are called."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from tests.support.process import Response
from tests.support.world import World

BASE = "/storage/v1/object"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
FORM = b'--b\r\ncontent-disposition: form-data; name=""; filename="x"\r\n\r\n4\r\n--b--\r\n'
PAGE = b"<!doctype html><script>alert(1)</script>"


@pytest.fixture(scope="module")
def bucket(api: World) -> str:
    api.ok("POST", "/storage/v1/bucket", {"name": "cas"})
    api.ok(
        "POST", "/storage/v1/bucket", {"name": "pictures", "allowed_mime_types": ["image/*"], "public": True}
    )
    return "cas"


def put(api: World, path: str, content: bytes, method: str = "PUT", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api(method, f"{BASE}/{path}", raw=content, headers={"content-type": "text/plain", **named})


def etag(api: World, path: str) -> str:
    return api("HEAD", f"{BASE}/authenticated/{path}").headers["etag"]


def test_an_object_is_written_only_over_the_version_that_was_meant(api: World, bucket: str) -> None:
    path = f"{bucket}/a"

    def refused(answer: Response) -> bool:
        return (answer.status, answer.json["code"]) == (412, "PreconditionFailed")

    assert refused(put(api, path, b"0", if_match="*"))
    assert put(api, path, b"1", if_none_match="*").status == 200
    assert refused(put(api, path, b"2", if_none_match="*"))
    first = etag(api, path)
    for tags in (first, f'"other", {first}', first.strip('"'), "*"):
        assert put(api, path, b"1", if_match=tags).status == 200, tags
    for tags in ('"other"', f"W/{first}", "", ",", "a b"):
        assert refused(put(api, path, b"2", if_match=tags)), tags
    for tags in (first, f"W/{first}", f'"other", {first}'):
        assert refused(put(api, path, b"2", if_none_match=tags)), tags
    assert put(api, path, b"2", if_none_match='"other"').status == 200
    assert refused(put(api, path, b"3", if_match=first))
    assert put(api, path, b"3", if_match=etag(api, path)).status == 200
    past, future = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    assert refused(put(api, path, b"4", if_unmodified_since=past))
    for dates in ({"if_unmodified_since": future}, {"if_unmodified_since": past, "if_match": "*"}):
        assert put(api, path, b"3", **dates).status == 200
    assert refused(put(api, path, FORM, if_none_match="*", content_type="multipart/form-data; boundary=b"))
    assert refused(api("DELETE", f"{BASE}/{path}", headers={"if-match": first}))
    assert api("GET", f"{BASE}/authenticated/{path}").raw == b"3"
    assert api("DELETE", f"{BASE}/{path}", headers={"if-match": etag(api, path)}).status == 200


def test_of_many_who_write_at_once_one_gets_through(api: World, bucket: str) -> None:
    path = f"{bucket}/race"

    def write(at: int, **headers: str) -> int:
        return put(api, path, b"%d" % at, **headers).status

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda at: write(at, if_none_match="*"), range(8)))
        assert sorted(made) == [200] + [412] * 7
        tag = etag(api, path)
        changed = list(threads.map(lambda at: write(at, if_match=tag), range(10, 18)))
        assert sorted(changed) == [200] + [412] * 7
        tag = etag(api, path)
        gone = list(
            threads.map(lambda _: api("DELETE", f"{BASE}/{path}", headers={"if-match": tag}).status, range(8))
        )
        assert gone.count(200) == 1, gone
        assert set(gone) <= {200, 404, 412}


def test_a_body_that_is_not_what_its_digest_says_leaves_nothing(api: World, bucket: str) -> None:
    path = f"{bucket}/digest"
    for body, kind in ((b"content", "text/plain"), (FORM, "multipart/form-data; boundary=b")):
        right, wrong = (b64encode(sha256(each).digest()).decode() for each in (body, b"other"))
        refused = put(api, path, body, content_type=kind, content_digest=f"sha-256=:{wrong}:")
        assert (refused.status, refused.json["code"]) == (400, "InvalidChecksum"), kind
        assert api("HEAD", f"{BASE}/authenticated/{path}").status == 404
        assert put(api, path, body, content_type=kind, content_digest=f"sha-256=:{right}:").status == 200
        assert api("DELETE", f"{BASE}/{path}").status == 200


@pytest.mark.parametrize(
    ("declared", "content", "kept"),
    [
        ("image/png", PNG, "image/png"),
        ("image/jpeg", PNG, "image/png"),
        ("image/svg+xml", b"<svg/>", "image/svg+xml"),
        ("image/png", b"", "image/png"),
        ("image/png", PAGE, None),
        ("image/png", b"GIF", None),
        ("image/svg+xml", PAGE, None),
        ("text/html", PNG, None),
        ("image/gif", bytes(5000), None),
    ],
)
def test_a_bucket_takes_what_a_file_is_and_not_what_it_is_called(
    api: World, bucket: str, declared: str, content: bytes, kept: str | None
) -> None:
    name = f"pictures/{abs(hash((declared, content)))}"
    form = b'--b\r\ncontent-disposition: form-data; name="f"; filename="x"\r\ncontent-type: %b\r\n\r\n%b\r\n--b--\r\n'
    ways: Mapping[str, tuple[bytes, str]] = {
        "raw": (content, declared),
        "form": (form % (declared.encode(), content), "multipart/form-data; boundary=b"),
    }
    for way, (body, kind) in ways.items():
        answer = put(api, f"{name}-{way}", body, content_type=kind)
        got = api("GET", f"{BASE}/public/{name}-{way}")
        if kept is None:
            assert (answer.status, answer.json["code"], got.status) == (415, "InvalidMimeType", 404), way
        else:
            assert (answer.status, got.headers["content-type"], got.raw) == (200, kept, content), way


def test_what_is_called_wrongly_comes_by_no_other_way_either(api: World, bucket: str) -> None:
    for name, content in (("page", PAGE), ("picture", PNG)):
        assert put(api, f"{bucket}/{name}", content, content_type="image/png").status == 200
        for way in ("copy", "move"):
            to = {"destinationBucket": "pictures", "destinationKey": f"{name}-{way}"}
            answer = api("POST", f"{BASE}/{way}", {"bucketId": bucket, "sourceKey": name, **to})
            assert answer.status == (200 if content is PNG else 415), (name, way, answer.raw)
    moved = api("GET", f"{BASE}/public/pictures/picture-move")
    assert (moved.raw, moved.headers["content-type"]) == (PNG, "image/png")
