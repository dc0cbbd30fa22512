"""Uploads by the door of Supabase's clients: forms and headers, what is said of an object, and what is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from tests.support.process import Response
from tests.support.world import World

ENVIRONMENT = {"OGEL_AUTH_AUTOCONFIRM": "yes", "OGEL_STORAGE_FILE_SIZE_LIMIT": "100000"}
BASE = "/storage/v1"
BOUNDARY = "----b0und4ry"
FILE = 'name=""; filename="a.txt"'


@pytest.fixture(scope="module")
def database(api: World, suite_servers: dict[str, str]) -> Iterator[psycopg.Connection[Any]]:
    assert api("POST", f"{BASE}/bucket", {"name": "up"}).status == 200
    with psycopg.connect(suite_servers["DATABASE_URL"], autocommit=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
def _made(database: psycopg.Connection[Any]) -> None:
    """The bucket is there."""


def form(*parts: tuple[str, str | bytes], end: bool = True) -> bytes:
    """Parts by what their Content-Disposition says, and more of their heads."""
    pieces = [
        f"--{BOUNDARY}\r\ncontent-disposition: form-data; {head}\r\n\r\n".encode()
        + (content if isinstance(content, bytes) else content.encode())
        + b"\r\n"
        for head, content in parts
    ]
    return b"".join(pieces) + (f"--{BOUNDARY}--\r\n".encode() if end else b"")


def sent(api: World, name: str, body: bytes, key: str | None = None, **headers: str) -> Response:
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    return api("POST", f"{BASE}/object/up/{name}", raw=body, key=key, headers={**kind, **headers})


def info(api: World, name: str) -> Any:
    return api("GET", f"{BASE}/object/info/up/{name}").json


def left(database: psycopg.Connection[Any]) -> Sequence[Any]:
    """Blobs that were begun in the bucket, belong to no object, and are not given up."""
    query = (
        "SELECT key FROM ogel.storage_blobs WHERE state = 'pending' AND until > now() AND bucket_id = 'up'"
    )
    return database.execute(query).fetchall()


def signed_up(api: World, email: str) -> str:
    """Returns the token."""
    answer = api("POST", "/auth/v1/signup", {"email": email, "password": "correct horse 42"}, key="")
    return str(answer.json["access_token"])


def test_fields_count_on_both_sides_of_the_file(api: World) -> None:
    said = ('name="cacheControl"', "60"), ('name="metadata"', '{"a": {"ü": [1, null]}}')
    for name, parts in {"before": (*said, (FILE, "x")), "behind": ((FILE, "x"), *said)}.items():
        assert sent(api, name, form(*parts)).status == 200
        told = info(api, name)
        assert (told["cache_control"], told["metadata"]) == ("max-age=60", {"a": {"ü": [1, None]}}), name
    typed = form(('name="contentType"', "image/webp"), (f"{FILE}\r\ncontent-type: text/plain; a=b", "x"))
    assert sent(api, "typed", typed).status == 200
    assert info(api, "typed")["content_type"] == "image/webp"
    # What another program writes there does not become two headers, nor one that caches misread.
    assert sent(api, "lines", form(('name="cacheControl"', "a\r\nx-evil: 1"), (FILE, "x"))).status == 200
    got = api("GET", f"{BASE}/object/up/lines")
    assert got.status == 200 and "x-evil" not in got.headers


def test_what_is_no_form_is_refused_and_leaves_nothing(api: World, database: psycopg.Connection[Any]) -> None:
    wrong = {
        "no file": (form(('name="file"', "x")), 400),
        "nothing": (b"", 400),
        "cut off": (form((FILE, "x"), end=False), 400),
        "garbage": (b"\x00" * 100, 400),
        "too many parts": (form(*[('name="x"', "y")] * 40, (FILE, "x")), 413),
        "a field of any size": (form(('name="metadata"', "x" * 70_000), (FILE, "x")), 413),
        "a field of any size behind": (form((FILE, "x"), ('name="metadata"', "x" * 70_000)), 413),
        "a file of any size": (form((FILE, b"x" * 100_001)), 413),
        "a type that is none": (form(('name="contentType"', "a\r\nb: c"), (FILE, "x")), 415),
    }
    for name, (body, status) in wrong.items():
        answer = sent(api, "wrong", body)
        assert answer.status == status, (name, answer.raw)
        assert answer.json["statusCode"] == str(status), name
    assert api("GET", f"{BASE}/object/up/wrong").status == 404
    assert left(database) == []
    assert sent(api, "most", form((FILE, b"x" * 100_000), ('name="metadata"', "{}"))).status == 200


def test_what_is_said_in_headers(api: World) -> None:
    def stored(name: str, content: bytes = b"x", **headers: str) -> Any:
        sending = {key.replace("_", "-"): value for key, value in headers.items()}
        answer = api("PUT", f"{BASE}/object/up/{name}", raw=content, headers=sending)
        return info(api, name) if answer.status == 200 else answer.json

    encoded = base64.b64encode(json.dumps({"ü": "👍"}).encode()).decode()
    told = stored(
        "h1", content_type="Text/Plain; Charset=utf-8", cache_control="max-age=1", x_metadata=encoded
    )
    assert (told["content_type"], told["cache_control"]) == ("Text/Plain; Charset=utf-8", "max-age=1")
    assert told["metadata"] == {"ü": "👍"}
    for metadata in (
        "",
        "%",
        "e30",
        base64.b64encode(b"[1]").decode(),
        base64.b64encode(b'{"a":"\\u0000"}').decode(),
    ):
        assert stored("h2", content_type="text/plain", x_metadata=metadata)["metadata"] == {}, metadata
    for kind in ("text", "/", "text/", "text/plain\x7f", "text/ü", f"text/{'x' * 300}", ""):
        assert stored("h3", content_type=kind)["code"] == "InvalidMimeType", kind
    assert stored("h4", b"x" * 100_001, content_type="text/plain")["code"] == "EntityTooLarge"


def test_policies_see_what_is_said_of_an_object(api: World, database: psycopg.Connection[Any]) -> None:
    """https://github.com/supabase/storage/issues/757"""
    database.execute(
        "CREATE POLICY mine ON storage.objects FOR INSERT TO authenticated WITH CHECK ("
        " bucket_id = 'up' AND user_metadata ->> 'project' = 'p1' AND metadata ->> 'mimetype' = 'text/plain')"
    )
    signed = api(
        "POST", "/auth/v1/signup", {"email": "a@example.com", "password": "correct horse 42"}, key=""
    )
    user = signed.json["access_token"]
    of_project = ('name="metadata"', '{"project": "p1"}'), (f"{FILE}\r\ncontent-type: text/plain", "x")
    assert sent(api, "p1", form(*of_project), key=user).status == 200
    for refused in (of_project[1:], (of_project[0], (f"{FILE}\r\ncontent-type: image/png", "x"))):
        answer = sent(api, "p2", form(*refused), key=user)
        assert (answer.status, answer.json["code"]) == (403, "AccessDenied")


def test_what_fails_in_sql_of_users_is_told_and_is_no_fault_of_ours(
    api: World, database: psycopg.Connection[Any]
) -> None:
    user = signed_up(api, "b@example.com")
    read = f"{BASE}/object/up/hidden/x"
    database.execute(
        "CREATE TABLE public.secrets (id int);"
        " CREATE POLICY looks ON storage.objects FOR SELECT TO authenticated"
        " USING (name LIKE 'hidden/%' AND EXISTS (SELECT FROM public.secrets))"
    )
    assert api("POST", read, raw=b"x").status == 200
    answer = api("GET", read, key=user)
    assert (answer.status, answer.json["message"]) == (403, "Access denied")
    database.execute(
        "DROP POLICY looks ON storage.objects;"
        " CREATE FUNCTION public.veto() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no cats on %', new.name; END $$;"
        " CREATE TRIGGER veto BEFORE INSERT ON storage.objects FOR EACH ROW WHEN (new.name LIKE 'cats/%')"
        " EXECUTE FUNCTION public.veto();"
        " CREATE POLICY cats ON storage.objects FOR INSERT TO authenticated WITH CHECK (true)"
    )
    answer = api("POST", f"{BASE}/object/up/cats/1", raw=b"x", key=user)
    database.execute("DROP POLICY cats ON storage.objects; DROP TRIGGER veto ON storage.objects")
    assert (answer.status, answer.json["message"]) == (400, "no cats on cats/1")


def test_a_token_alone_is_an_authorization_too(api: World) -> None:
    user = signed_up(api, "c@example.com")
    for sent_as in (user, f"Bearer {user}", f"bearer  {user}"):
        answer = api("GET", f"{BASE}/health", key="", headers={"authorization": sent_as})
        assert answer.json == {"healthy": True}, sent_as
    assert api("GET", f"{BASE}/health", key="", headers={"authorization": "x"}).status == 401


@pytest.mark.parametrize("bucket", ["authenticated", "info", "public", "upload"])
def test_buckets_are_called_as_parts_of_paths_are(api: World, bucket: str) -> None:
    assert api("POST", f"{BASE}/bucket", {"name": bucket, "public": True}).status == 200
    names = ["x", "a/x"] if bucket in ("authenticated", "info", "public") else ["x"]
    for name in names:
        for method in ("POST", "PUT"):
            answer = api(method, f"{BASE}/object/{bucket}/{name}", raw=b"x")
            assert (answer.status, answer.json.get("Key")) == (200, f"{bucket}/{name}")
        assert api("GET", f"{BASE}/object/authenticated/{bucket}/{name}").raw == b"x"
        assert api("GET", f"{BASE}/object/public/{bucket}/{name}", key="").raw == b"x"
        if bucket == "public":
            assert api("GET", f"{BASE}/object/{bucket}/{name}", key="").raw == b"x"
            assert api("GET", f"{BASE}/object/info/{bucket}/{name}", key="").json["name"] == name
    assert len(api("DELETE", f"{BASE}/object/{bucket}", {"prefixes": names}).json) == len(names)


def test_buckets_are_held_to_their_names_and_sizes(api: World) -> None:
    def made(**body: Any) -> Response:
        return api("POST", f"{BASE}/bucket", body)

    for name in ("", " a", "a ", "a/b", ".", "..", "a\x00", "a\nb", "x" * 101, "\u2028"):
        assert made(name=name).json["code"] == "InvalidBucketName", name
    assert made(name="日本語 #1 100%").json == {"name": "日本語 #1 100%"}
    assert api("GET", f"{BASE}/bucket/%E6%97%A5%E6%9C%AC%E8%AA%9E%20%231%20100%25").status == 200
    assert made(name="e\u0301").json == made(name="other", id="other").json | {"name": "é"}
    for size in ("1 MB", "MB", "-1", "1e3", "٣", "9" * 40, [], {}, 1.5, True):
        answer = made(name="sized", file_size_limit=size)
        assert (answer.status, answer.json["code"]) == (400, "InvalidRequest"), size
        assert "file_size_limit" in answer.json["message"], size
    for query in (
        "limit=0",
        "limit=x",
        "offset=-1",
        "sortColumn=owner",
        "sortOrder=up",
        "offset=99999999999",
    ):
        assert api("GET", f"{BASE}/bucket?{query}").status == 400, query
    assert [each["name"] for each in api("GET", f"{BASE}/bucket?search=THER").json] == ["other"]
    assert api("PUT", f"{BASE}/bucket/other", {"colour": "red"}).status == 400
    assert api("PUT", f"{BASE}/bucket/other", {"public": True, "file_size_limit": "1.5kb"}).status == 200
    other = api("GET", f"{BASE}/bucket/other").json
    assert (other["public"], other["file_size_limit"]) == (True, 1500)
