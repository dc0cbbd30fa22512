"""Types that browsers read otherwise than they look: whichever door they come by, nothing of it is run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.process import Response
from tests.support.s3 import S3
from tests.support.world import World

BASE = "/storage/v1/object"
PAGE = b"<!doctype html><script>alert(1)</script>"
LISTS = ("image/png, text/html", "text/plain; a, text/html", "text/html,x")


@pytest.fixture(scope="module")
def s3(api: World) -> S3:
    made = api("POST", "/api/s3-keys", {"name": "t"}).json
    return S3(api, made["access_key_id"], made["secret_access_key"])


@pytest.fixture(autouse=True, scope="module")
def _buckets(api: World) -> None:
    assert api("POST", "/api/storage/buckets", {"id": "any", "public": True}).status == 201
    pictures = {"id": "pictures", "public": True, "allowed_mime_types": ["image/*"]}
    assert api("POST", "/api/storage/buckets", pictures).status == 201


def copied(api: World, bucket: str, name: str, **said: Any) -> Response:
    places = {"bucketId": "any", "sourceKey": "page", "destinationBucket": bucket, "destinationKey": name}
    return api("POST", f"{BASE}/copy", {**places, "copyMetadata": False, "metadata": said})


def shown(api: World, path: str) -> Mapping[str, str]:
    found = api("GET", f"{BASE}/public/{path}", key="")
    assert (found.status, found.raw) == (200, PAGE)
    return found.headers


@pytest.mark.parametrize("listed", LISTS)
def test_a_list_of_types_is_no_type(api: World, s3: S3, listed: str) -> None:
    kind = {"content-type": listed}
    assert api("POST", f"{BASE}/any/a", raw=PAGE, headers=kind).status == 415
    assert s3("PUT", "/pictures/a", PAGE, kind).status == 415
    # S3's clients call what they store anything.
    assert s3("PUT", "/any/s3", PAGE, kind).status == 200
    headers = shown(api, "any/s3")
    assert headers["content-type"] == "application/octet-stream"
    assert "sandbox" in headers["content-security-policy"]
    theirs = s3.send("GET", s3.presigned("GET", "/any/s3?x="))
    assert (theirs.headers["content-type"], "sandbox" in theirs.headers["content-security-policy"]) == (
        listed,
        True,
    )


@pytest.mark.parametrize(
    "kind", ["text/xsl", "TEXT/XSL;a=b", "image/svg+xml", "application/x-mimearchive", "text/rdf"]
)
def test_what_only_some_browsers_run_is_in_a_sandbox(api: World, kind: str) -> None:
    assert api("PUT", f"{BASE}/any/run", raw=PAGE, headers={"content-type": kind}).status == 200
    headers = shown(api, "any/run")
    assert (headers["content-type"], headers["x-content-type-options"]) == (kind, "nosniff")
    assert "sandbox" in headers["content-security-policy"]


def test_a_copy_is_called_what_an_upload_may_be(api: World) -> None:
    kind = {"content-type": "text/plain"}
    assert api("PUT", f"{BASE}/any/page", raw=PAGE, headers=kind).status == 200
    for wrong in (*LISTS, "text/plain; " + "x" * 255, "text/\x00", "a\r\nb: c"):
        for bucket in ("any", "pictures"):
            assert copied(api, bucket, "copy", mimetype=wrong).status == 415
    assert copied(api, "any", "copy", mimetype="text/css", cacheControl="x" * 5000).status == 200
    headers = shown(api, "any/copy")
    assert (headers["content-type"], headers["cache-control"]) == ("text/css", "no-cache")


def test_a_file_of_a_form_without_a_type_is_bytes(api: World) -> None:
    head = f'content-disposition: form-data; name="file"; filename="a"\r\ncontent-type: {LISTS[0]}'
    body = f"--b\r\n{head}\r\n\r\n".encode() + PAGE + b"\r\n--b--\r\n"
    sent = {"content-type": "multipart/form-data; boundary=b"}
    made = api("POST", "/api/storage/upload?bucket=any", raw=body, headers=sent)
    assert made.status == 200
    assert shown(api, made.json["path"])["content-type"] == "application/octet-stream"
