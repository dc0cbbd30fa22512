"""URLs that let who has them download or upload one object for a while."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import pytest

from ogel.features.storage.signing.tokens import UrlTokens
from ogel.runtime.secrets.vault import Vault
from tests.support.process import SECRET, Response
from tests.support.world import World

BASE = "/storage/v1"
NOBODY = ""
TOKENS = UrlTokens(Vault(SECRET))


@pytest.fixture(scope="module")
def bucket(api: World) -> str:
    api.ok("POST", f"{BASE}/bucket", {"name": "signed"})
    return "signed"


def store(api: World, bucket: str, name: str, content: bytes = b"hello world", **headers: str) -> None:
    sent = {"content-type": "text/plain", **headers}
    stored = api("POST", f"{BASE}/object/{bucket}/{quote(name, safe='/')}", raw=content, headers=sent)
    assert stored.status == 200, stored.raw


def sign(api: World, bucket: str, name: str, body: Any = None) -> str:
    """The URL, as it is answered."""
    path = f"{BASE}/object/sign/{bucket}/{quote(name, safe='/')}"
    return f"{BASE}{api.ok('POST', path, body or {'expiresIn': 60})['signedURL']}"


def refusal(answer: Response) -> tuple[int, str, str]:
    return answer.status, answer.json["code"], answer.json["message"]


def test_a_signed_url_is_all_that_it_takes_to_download(api: World, bucket: str) -> None:
    store(api, bucket, "a.txt")
    url = sign(api, bucket, "a.txt")
    got = api("GET", url, key=NOBODY)
    assert (got.status, got.raw, got.headers["content-type"]) == (200, b"hello world", "text/plain")
    assert got.headers["cache-control"].startswith("private, max-age=")
    assert "expires" in got.headers
    assert got.headers["referrer-policy"] == "no-referrer"
    part = api("GET", url, key=NOBODY, headers={"range": "bytes=0-1,6-7"})
    assert (part.status, part.headers["content-type"].partition(";")[0]) == (206, "multipart/byteranges")
    same = api("GET", url, key=NOBODY, headers={"if-none-match": got.headers["etag"]})
    assert (same.status, same.raw) == (304, b"")
    head = api("HEAD", url, key=NOBODY)
    assert (head.status, head.headers["content-length"], head.raw) == (200, "11", b"")
    # Who has it needs nothing else, and whatever else is sent does not count.
    assert api("GET", url, key="no-key-at-all").status == 200
    saved = api("GET", f"{url}&download=%C3%BC%20%22x%22%2Fy.txt", key=NOBODY)
    assert saved.headers["content-disposition"] == (
        "attachment; filename=\"_ _x__y.txt\"; filename*=UTF-8''%C3%BC%20%22x%22_y.txt"
    )
    assert api("GET", f"{url}&download=", key=NOBODY).headers["content-disposition"] == (
        "attachment; filename=a.txt; filename*=UTF-8''a.txt"
    )


def test_a_token_is_good_for_what_was_signed_and_nothing_else(api: World, bucket: str) -> None:
    store(api, bucket, "b.txt")
    store(api, bucket, "c.txt")
    store(api, bucket, "bb.txt")
    token = sign(api, bucket, "b.txt").partition("token=")[2]
    upload = TOKENS.make("upload", bucket, "b.txt", 60)
    header, payload, signature = token.split(".")
    elsewhere = UrlTokens(Vault("another secret " * 3))
    now = int(time.time())

    def get(name: str, token: str | None) -> tuple[int, str, str]:
        query = "" if token is None else f"?token={quote(token)}"
        return refusal(api("GET", f"{BASE}/object/sign/{bucket}/{name}{query}", key=NOBODY))

    bad_signature = (400, "InvalidSignature", "Invalid signature")
    assert get("c.txt", token) == bad_signature
    assert get("bb.txt", token) == bad_signature
    assert get("b.txt/", token) == bad_signature
    assert get("b.txt", TOKENS.make("download", "other", "b.txt", 60)) == bad_signature
    assert get("b.txt", upload) == (400, "InvalidSignature", "Token is not scoped for download")
    assert get("b.txt", None)[1] == "InvalidRequest"
    assert get("b.txt", TOKENS.make("download", bucket, "gone.txt", 60)) == bad_signature
    assert get("gone.txt", TOKENS.make("download", bucket, "gone.txt", 60))[:2] == (404, "NoSuchKey")
    forged = (
        "", ".", "..", "a.b.c", token[:-1], f"{token}A", f"{header}.{payload}.", f"{header}.{payload}",
        f"{header}.{payload}.{signature[::-1]}", f"{header}.{payload[:-4]}AAAA.{signature}", "é" * 9,
        elsewhere.make("download", bucket, "b.txt", 60), "eyJhbGciOiJub25lIn0." + payload + ".", "x" * 5000,
        TOKENS.make("download", bucket, "b.txt", 0), TOKENS.make("download", bucket, "b.txt", -60),
        TOKENS.signed({"url": f"{bucket}/b.txt", "scope": "download"}),
        TOKENS.signed({"url": f"{bucket}/b.txt", "scope": "download", "exp": "never"}),
        "W10." + payload + "." + signature, "[" * 4000 + ".a.b",
    )  # fmt: skip
    for each in forged:
        assert get("b.txt", each)[:2] == (400, "InvalidJWT"), each
    for claims in ({"url": 5}, {"url": bucket}, {}, {"url": f"{bucket}/b.txt", "scope": ["download"]}):
        assert get("b.txt", TOKENS.signed({**claims, "exp": now + 60}))[1] == "InvalidSignature"


def test_tokens_outlive_a_change_of_the_secret() -> None:
    token = UrlTokens(Vault("former " * 6)).make("download", "b", "n", 60)
    assert UrlTokens(Vault("newer " * 6, ["former " * 6])).read(token, "download", "b")[0] == "n"


def test_names_of_any_kind_can_be_signed(api: World, bucket: str) -> None:
    """Clients of Supabase escape what they are answered once more, and others do not."""
    for name in (
        "ü/日本 1.txt",
        "a b+c&d=e.txt",
        "what?.txt",
        "no#1.txt",
        "100%.txt",
        "a%20b.txt",
        "~[x]{y}|^`.txt",
    ):
        store(api, bucket, name)
        url, _, query = sign(api, bucket, name).partition("?token=")
        for escaped in (quote(url, safe="/"), quote(url, safe="/%") if "%" not in name else quote(url)):
            got = api("GET", f"{escaped}?token={query}", key=NOBODY)
            assert (got.status, got.raw) == (200, b"hello world"), (name, escaped)


def test_many_are_signed_at_once(api: World, bucket: str) -> None:
    store(api, bucket, "d.txt")
    names = ["d.txt", "nope.txt", "d.txt", "../etc", "nul\0", "", "x" * 2000]
    signed = api.ok("POST", f"{BASE}/object/sign/{bucket}", {"expiresIn": 60, "paths": names})
    assert [each["path"] for each in signed] == names
    assert [each["error"] is None for each in signed] == [True, False, True, False, False, False, False]
    assert api("GET", f"{BASE}{signed[0]['signedURL']}", key=NOBODY).status == 200
    for paths in (None, [], "d.txt", [5], {}, ["a"] * 1001):
        refused = api("POST", f"{BASE}/object/sign/{bucket}", {"expiresIn": 60, "paths": paths})
        assert refusal(refused)[:2] == (400, "InvalidRequest"), paths
    for seconds in (None, 0, -1, 1.5, "x", "1.5", True, [], {}, 10**18, 2**70, "9" * 30):
        for path, body in ((f"sign/{bucket}/d.txt", {}), (f"sign/{bucket}", {"paths": ["d.txt"]})):
            refused = api("POST", f"{BASE}/object/{path}", {"expiresIn": seconds, **body})
            assert refused.status == 400, (seconds, refused.raw)
    assert api("POST", f"{BASE}/object/sign/{bucket}/d.txt", {"expiresIn": "60"}).status == 200
    assert api("POST", f"{BASE}/object/sign/{bucket}/d.txt", {"expiresIn": 60}, key=NOBODY).status == 401
    assert api("POST", f"{BASE}/object/sign/{bucket}/nope.txt", {"expiresIn": 60}).status == 404


def test_an_upload_is_signed_for_one_name_and_done_once(api: World, bucket: str) -> None:
    def signed(name: str, **headers: str) -> str:
        answer = api("POST", f"{BASE}/object/upload/sign/{bucket}/{name}", headers=headers)
        assert answer.status == 200, answer.raw
        assert answer.json["url"].endswith(answer.json["token"])
        return f"{BASE}{answer.json['url']}"

    def put(url: str, content: bytes, **headers: str) -> Response:
        return api("PUT", url, raw=content, key=NOBODY, headers={"content-type": "text/plain", **headers})

    url = signed("up/1.txt")
    assert put(url.replace("1.txt", "2.txt"), b"x").json["code"] == "InvalidSignature"
    assert put(url, b"other", **{"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}).json["code"] == "InvalidChecksum"
    assert put(url, b"mine").json == {"Key": f"{bucket}/up/1.txt"}
    assert refusal(put(url, b"again"))[:2] == (409, "KeyAlreadyExists")
    assert refusal(put(url, b"again", **{"x-upsert": "true"}))[:2] == (409, "KeyAlreadyExists")
    assert api("POST", f"{BASE}/object/upload/sign/{bucket}/up/1.txt").status == 409
    again = signed("up/1.txt", **{"x-upsert": "true"})
    assert [put(again, content).status for content in (b"once", b"twice")] == [200, 200]
    got = api("GET", f"{BASE}/object/authenticated/{bucket}/up/1.txt")
    assert got.raw == b"twice"
    download = TOKENS.make("download", bucket, "up/3.txt", 60)
    path = f"{BASE}/object/upload/sign/{bucket}/up/3.txt"
    assert refusal(put(f"{path}?token={download}", b"x"))[2] == "Token is not scoped for upload"
    assert refusal(put(path, b"x"))[:2] == (400, "InvalidRequest")
    assert api("POST", path, key=NOBODY).status == 401
    assert api("POST", f"{BASE}/object/upload/sign/nope/up/3.txt").status == 404
