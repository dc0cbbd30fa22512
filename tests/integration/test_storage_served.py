"""One matrix of requests for objects, on every store and at every door: all answer alike."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg
import pytest

from tests.conftest import Servers, migrated
from tests.support.process import Response
from tests.support.s3 import S3
from tests.support.world import World

BASE = "/storage/v1/object"
CONTENT = bytes(range(256)) * 1200  # more than a store reads at once
SIZE = len(CONTENT)
ETAG = f'"{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}"'
DIGEST = f"sha-256=:{base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()}:"
LONG_AGO, ONE_DAY = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
# Headers that say something of the request or of now, and not of the object.
OF_THE_REQUEST = ("x-request-id", "date", "ratelimit", "ratelimit-policy", "cache-control", "expires")

PARTS: Mapping[str, Sequence[tuple[int, int]]] = {
    "bytes=0-0": [(0, 0)],
    "bytes=100-": [(100, SIZE - 1)],
    "bytes=-1": [(SIZE - 1, SIZE - 1)],
    f"bytes=-{SIZE * 2}": [(0, SIZE - 1)],
    f"bytes=262143-{SIZE * 2}": [(262143, SIZE - 1)],
    "bytes=0-9,20-29": [(0, 9), (20, 29)],
    "bytes=-5,0-4,262140-262150": [(SIZE - 5, SIZE - 1), (0, 4), (262140, 262150)],
    "bytes=0-9,5-14,15-19": [(0, 19)],
}
STATUSES: Sequence[tuple[int, Mapping[str, str]]] = [
    (416, {"range": f"bytes={SIZE}-"}),
    (416, {"range": f"bytes=-0,{SIZE + 5}-"}),
    (200, {"range": "bytes=9-5"}),
    (200, {"range": "bytes=0-1,2-x"}),
    (200, {"range": "bytes=" + ",".join(f"{at}-{at}" for at in range(0, 18, 2))}),
    (206, {"range": "bytes=0-1", "if-range": ETAG}),
    (200, {"range": "bytes=0-1", "if-range": f"W/{ETAG}"}),
    (200, {"range": "bytes=0-1", "if-range": LONG_AGO}),
    (304, {"if-none-match": ETAG}),
    (304, {"if-none-match": f'"a", W/{ETAG}', "range": "bytes=0-1"}),
    (304, {"if-none-match": "*"}),
    (200, {"if-none-match": '"a"', "if-modified-since": ONE_DAY}),
    (304, {"if-modified-since": ONE_DAY}),
    (200, {"if-modified-since": LONG_AGO}),
    (200, {"if-match": f'"a", {ETAG}'}),
    (412, {"if-match": f"W/{ETAG}"}),
    (412, {"if-match": '"a"', "if-none-match": ETAG}),
    (412, {"if-unmodified-since": LONG_AGO}),
    (200, {"if-unmodified-since": LONG_AGO, "if-match": "*"}),
]


@dataclass(frozen=True)
class Doors:
    """Paths that lead to the object, and the key that opens each; `empty` and `page` lead to others."""

    store: str
    api: World
    s3: S3
    database_url: str
    paths: Mapping[str, tuple[str, str | None]]
    empty: str
    page: str

    def ask(self, door: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Response:
        if door == "s3":
            return self.s3(method, "/b/o", headers=headers)
        path, key = self.paths[door]
        return self.api(method, path, key=key, headers=headers)


@pytest.fixture(scope="module", params=["local", "s3"])
def doors(
    request: pytest.FixtureRequest,
    servers: Servers,
    _template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Doors]:
    store = {} if request.param == "local" else request.getfixturevalue("seaweed").environment
    data = {"OGEL_DATA_DIR": str(tmp_path_factory.mktemp("data")), "OGEL_RATE_READ": "off"}
    with (
        migrated(servers, _template) as url,
        World(DATABASE_URL=url, REDIS_URL=servers.redis_url, **data, **store) as api,
    ):
        api.ok("POST", "/storage/v1/bucket", {"name": "b", "public": True})
        for name, content, kind in (
            ("o", CONTENT, "image/png"),
            ("e", b"", "image/png"),
            ("p", b"<svg/>", "image/svg+xml"),
        ):
            sent = {"content-type": kind, "cache-control": "max-age=60"}
            assert api("POST", f"{BASE}/b/{name}", raw=content, headers=sent).status == 200
        signed = api.ok("POST", f"{BASE}/sign/b/o", {"expiresIn": 600})["signedURL"]
        paths: Mapping[str, tuple[str, str | None]] = {
            "authenticated": (f"{BASE}/authenticated/b/o", None),
            "either": (f"{BASE}/b/o", None),
            "public": (f"{BASE}/public/b/o", ""),
            "signed": (f"/storage/v1{signed}", ""),
        }
        made = api.ok("POST", "/api/s3-keys", {"name": "tests"})
        s3 = S3(api, made["access_key_id"], made["secret_access_key"])
        yield Doors(request.param, api, s3, url, paths, f"{BASE}/public/b/e", f"{BASE}/public/b/p")


def parts_of(answer: Response) -> list[tuple[str, bytes]]:
    """Content-Range and content of each part."""
    if "content-range" in answer.headers:
        return [(answer.headers["content-range"], answer.raw)]
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.raw, policy=email.policy.HTTP)
    return [(part["Content-Range"], part.get_payload(decode=True)) for part in message.iter_parts()]


def of_the_object(answer: Response) -> Mapping[str, str]:
    said = {name: value for name, value in answer.headers.items() if name not in OF_THE_REQUEST}
    return {**said, "content-type": said.get("content-type", "").partition(";")[0]}


@pytest.mark.parametrize("door", ["authenticated", "either", "public", "signed", "s3"])
def test_an_object_is_served_alike_everywhere(doors: Doors, door: str) -> None:
    whole = doors.ask(door)
    assert (whole.status, whole.raw == CONTENT) == (200, True)
    assert whole.headers["content-length"] == str(SIZE)
    for name, value in (
        ("etag", ETAG),
        ("accept-ranges", "bytes"),
        ("repr-digest", DIGEST),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("content-type", "image/png"),
    ):
        assert whole.headers[name] == value, name
    for asked, expected in PARTS.items():
        some = doors.ask(door, headers={"range": asked})
        assert some.status == 206, asked
        assert some.headers["content-length"] == str(len(some.raw))
        assert parts_of(some) == [
            (f"bytes {first}-{last}/{SIZE}", CONTENT[first : last + 1]) for first, last in expected
        ], asked
    modified = whole.headers["last-modified"]
    also = [(304, {"if-modified-since": modified}), (200, {"if-unmodified-since": modified})]
    for status, headers in [*STATUSES, *also]:
        answer = doors.ask(door, headers=headers)
        assert answer.status == status, (headers, answer.status)
        if status == 304:
            assert (answer.raw, answer.headers["etag"], "content-length" in answer.headers) == (
                b"",
                ETAG,
                False,
            )
        if status == 416:
            assert answer.headers["content-range"] == f"bytes */{SIZE}"
        head = doors.ask(door, "HEAD", headers=headers)
        assert head.status == status, headers
        if status < 400:
            assert (head.raw, of_the_object(head)) == (b"", of_the_object(answer)), headers


def test_what_came_in_parts_is_served_as_one(doors: Doors) -> None:
    api, endpoint = doors.api, "/storage/v1/upload/resumable"
    parts, tus = [CONTENT[:100], CONTENT[100:250], CONTENT[250:900]], {"tus-resumable": "1.0.0"}
    places = []
    for part in parts:
        said = {"upload-length": str(len(part)), "content-type": "application/offset+octet-stream"}
        begun = api("POST", endpoint, raw=part, headers={**tus, **said, "upload-concat": "partial"})
        places.append(begun.headers["location"])
    names = {"bucketName": "b", "objectName": "m", "contentType": "image/png"}
    metadata = ",".join(
        f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in names.items()
    )
    final = {**tus, "upload-concat": f"final;{' '.join(places)}", "upload-metadata": metadata}
    assert api("POST", endpoint, headers=final).status == 201
    whole = api("GET", f"{BASE}/public/b/m?redirect=1", key="")
    assert (whole.status, whole.raw, whole.headers["etag"][-3:]) == (200, CONTENT[:900], '-3"')
    assert "repr-digest" not in whole.headers
    for asked, expected in (
        ("bytes=90-260", [(90, 260)]),
        ("bytes=99-99,100-100,249-250,-1", [(99, 100), (249, 250), (899, 899)]),
    ):
        some = api("GET", f"{BASE}/public/b/m", key="", headers={"range": asked})
        assert parts_of(some) == [
            (f"bytes {first}-{last}/900", CONTENT[first : last + 1]) for first, last in expected
        ], asked


def test_nothing_is_served_as_nothing(doors: Doors) -> None:
    for headers in ({}, {"range": "bytes=-5"}):
        answer = doors.api("GET", doors.empty, key="", headers=headers)
        assert (answer.status, answer.raw, answer.headers["content-length"]) == (200, b"", "0")
    assert doors.api("GET", doors.empty, key="", headers={"range": "bytes=0-"}).status == 416


def test_caches_are_told_who_may_read(doors: Doors) -> None:
    assert doors.ask("public").headers["cache-control"] == "max-age=60"
    assert doors.ask("authenticated").headers["cache-control"] == "private, max-age=60"
    assert doors.ask("signed").headers["cache-control"].startswith("private, max-age=")
    path = doors.paths["public"][0]
    forever = doors.api("GET", f"{path}?v={ETAG.strip(chr(34))}", key="")
    assert forever.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert doors.api("GET", f"{path}?v=former", key="").headers["cache-control"] == "max-age=60"


def test_what_browsers_run_is_shown_where_it_can_do_nothing(doors: Doors) -> None:
    policy = doors.api("GET", doors.page, key="").headers["content-security-policy"]
    assert "sandbox" in policy.split("; ")
    assert "sandbox" not in doors.ask("public").headers["content-security-policy"]
    by_s3 = doors.s3("GET", "/b/o?response-content-type=text%2Fhtml")
    assert (by_s3.headers["content-type"], by_s3.headers["content-security-policy"]) == ("text/html", policy)


def test_what_no_header_can_hold_is_left_out(doors: Doors) -> None:
    said = {"mimetype": "image/日本png\r\n", "cacheControl": "max-age=1\nx: y", "eTag": None, "size": 0}
    with psycopg.connect(doors.database_url, autocommit=True) as connection:
        connection.execute("UPDATE storage.objects SET metadata = %s WHERE name = 'e'", [json.dumps(said)])
    for answer in (doors.api("GET", doors.empty, key=""), doors.s3("GET", "/b/e")):
        assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
        assert answer.headers["cache-control"] == "max-age=1x: y"


def test_clients_are_sent_to_a_store_that_can_answer_them(doors: Doors) -> None:
    path = doors.paths["public"][0]

    def get(query: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Response:
        return doors.api(method, f"{path}?{query}", key="", headers=headers)

    if doors.store == "local":
        assert get("redirect=1").raw == CONTENT
        return
    sent = get("redirect=1&download=%C3%BC.png")
    assert (sent.status, sent.raw, sent.headers["cache-control"]) == (302, b"", "private, max-age=240")
    with urllib.request.urlopen(sent.headers["location"], timeout=10) as answer:
        assert answer.read() == CONTENT
        assert answer.headers["content-type"] == "image/png"
        assert (
            answer.headers["content-disposition"] == "attachment; filename=_.png; filename*=UTF-8''%C3%BC.png"
        )
    # What is asked of the object itself is answered here.
    assert get("redirect=1", {"if-none-match": ETAG}).status == 304
    assert get("redirect=1", {"range": f"bytes={SIZE}-"}).status == 416
    assert get("redirect=1", method="HEAD").headers["content-length"] == str(SIZE)
    assert get("redirect=yes").status == 400
    assert doors.api("GET", f"{doors.page}?redirect=1", key="").raw == b"<svg/>"
    with psycopg.connect(doors.database_url, autocommit=True) as connection:
        connection.execute("UPDATE storage.buckets SET redirects = true")
        try:
            assert [get(query).status for query in ("", "redirect=0")] == [302, 200]
            assert doors.ask("signed").status == 302
            assert doors.api("GET", doors.empty, key="").status == 200
        finally:
            connection.execute("UPDATE storage.buckets SET redirects = false")
