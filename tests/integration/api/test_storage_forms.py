"""A file in a form, as browsers send it: POST /api/storage/upload."""

from __future__ import annotations

from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5
from urllib.parse import quote

import psycopg

from tests.support.people import People
from tests.support.process import Response
from tests.support.world import World

UPLOAD = "/api/storage/upload"
MOST = 200_000
ENVIRONMENT = {"OGEL_STORAGE_FILE_SIZE_LIMIT": str(MOST)}
FORM = {"content-type": "multipart/form-data; boundary=xXx"}


def part(name: str, content: bytes, filename: str | None = None, type: str = "text/plain") -> bytes:
    called = "" if filename is None else f'; filename="{filename}"'
    head = f'--xXx\r\nContent-Disposition: form-data; name="{name}"{called}\r\n'
    kind = "" if filename is None else f"Content-Type: {type}\r\n"
    return head.encode() + kind.encode() + b"\r\n" + content + b"\r\n"


def form(*of: bytes) -> bytes:
    return b"".join(of) + b"--xXx--\r\n"


def send(api: World, body: bytes, query: str = "", **options: str) -> Response:
    return api("POST", UPLOAD + query, raw=body, headers=FORM, **options)


def stored(api: World, path: str) -> bytes:
    got = api("GET", f"/storage/v1/object/authenticated/{quote(path)}")
    assert got.status == 200, got.body
    return got.raw


def kept(suite_servers: dict[str, str]) -> int:
    """How many blobs are an object's."""
    with psycopg.connect(suite_servers["DATABASE_URL"]) as connection:
        count = "SELECT count(*) FROM ogel.storage_blobs WHERE state = 'live'"
        [(found,)] = connection.execute(count).fetchall()
        return int(found)


def test_a_file_in_a_form_is_stored_whole_and_read_under_its_path(api: World) -> None:
    content = bytes(range(256)) * 512
    answer = send(
        api, form(part("note", b"hello"), part("file", content, "Übersicht 1.pdf", "application/pdf"))
    )
    assert answer.status == 200, answer.body
    found = answer.json
    assert found.keys() == {"id", "filename", "path", "size"}
    assert (found["filename"], found["size"]) == ("Übersicht 1.pdf", len(content))
    assert found["path"].startswith("uploads/") and found["path"].endswith("/Übersicht 1.pdf")
    assert stored(api, found["path"]) == content
    # The same once more is another file.
    again = send(api, form(part("file", b"", "Übersicht 1.pdf"))).json
    assert again["size"] == 0 and again["path"] != found["path"]
    # Several at once are too, whoever makes the bucket.
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda n: send(api, form(part("file", b"%d" % n, "a.txt"))), range(4)))
    assert [stored(api, each.json["path"]) for each in answers] == [b"0", b"1", b"2", b"3"]


def test_names_lead_nowhere_and_are_kept_in_every_script(api: World) -> None:
    for sent, filename in {
        "../../etc/passwd": "passwd",
        "C:\\\\Users\\\\ada\\\\photo.png": "photo.png",
        "..": "file",
        "uploads/": "file",
        "日本語 ファイル.txt": "日本語 ファイル.txt",
        "u\u0308.txt": "ü.txt",
        "שלום.txt": "שלום.txt",
        "a\tb\x7fc\u0085.txt": "abc.txt",
        "👩‍🚀.png": "👩‍🚀.png",
        "a+b%20c&d#e?.txt": "a+b%20c&d#e?.txt",
        "ü" * 300 + ".jpeg": "ü" * 125 + ".jpeg",
        "x" * 300: "x" * 255,
    }.items():
        answer = send(api, form(part("file", b"content", sent)))
        assert (answer.status, answer.json.get("filename")) == (200, filename), answer.body
        assert stored(api, answer.json["path"]) == b"content"


def test_what_is_no_form_with_one_file_leaves_nothing(api: World, suite_servers: dict[str, str]) -> None:
    send(api, form(part("file", b"first", "a.txt")))
    before = kept(suite_servers)
    file = part("file", b"content", "a.txt")
    wrong = {
        "no file": (form(part("note", b"a")), 422),
        "a field": (form(part("file", b"content")), 422),
        "no file chosen": (form(part("file", b"", "")), 422),
        "two files": (form(file, file), 422),
        "empty form": (form(), 422),
        "cut off in the file": (file[:-20], 400),
        "cut off behind it": (file, 400),
        "no form": (b"hello", 400),
        "empty": (b"", 400),
        "too large": (form(part("file", b"x" * (MOST + 1), "a.bin")), 413),
        "far too large": (form(part("file", b"x" * (MOST * 2), "a.bin")), 413),
        "many parts": (form(*[part("note", b"")] * 40), 413),
        "long head": (form(part("n" * 9000, b"")), 413),
    }
    for what, (body, status) in wrong.items():
        answer = send(api, body)
        assert answer.status == status, (what, answer.status, answer.body)
        assert answer.headers["content-type"] == "application/problem+json", what
    named = send(api, form(part("note", b"a"))).json["errors"]
    assert named == [{"path": "body.file", "message": "no file came: a form's field of this name takes one"}]
    assert str(MOST) in send(api, form(part("file", b"x" * (MOST + 1), "a.bin"))).json["detail"]
    assert api("POST", UPLOAD, {"file": "a"}).status == 415
    nowhere = send(api, form(file), "?bucket=nowhere")
    assert (nowhere.status, nowhere.json["type"]) == (404, "urn:ogel:no-such-bucket")
    assert send(api, form(file), "?bucket=../x").status == 404
    assert send(api, form(file), "?bukket=x").status == 422
    assert send(api, form(file), key="").status == 401
    assert kept(suite_servers) == before


def test_the_largest_file_fits_in_its_form(api: World) -> None:
    answer = send(api, form(part("file", b"x" * MOST, "a.bin"), part("note", b"behind it")))
    assert (answer.status, answer.json["size"]) == (200, MOST)


def test_a_file_is_told_the_limit_and_held_against_its_digest(api: World) -> None:
    for size in (MOST + 1, MOST * 2):
        answer = send(api, form(part("file", b"x" * size, "a.bin")))
        assert answer.status == 413
        assert f"{MOST} bytes" in answer.json["detail"]
    body = form(part("file", b"x", "a.txt"))
    wrong = {**FORM, "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
    assert api("POST", UPLOAD, raw=body, headers=wrong).status == 400
    right = {**FORM, "content-md5": b64encode(md5(body, usedforsecurity=False).digest()).decode()}
    assert api("POST", UPLOAD, raw=body, headers=right).status == 200


def test_a_bucket_can_be_chosen(api: World) -> None:
    assert api("POST", "/storage/v1/bucket", {"name": "photos"}).status == 200
    path = send(api, form(part("file", b"p", "p.png", "image/png")), "?bucket=photos").json["path"]
    assert path.startswith("photos/")
    got = api("GET", f"/storage/v1/object/authenticated/{path}")
    assert (got.raw, got.headers["content-type"]) == (b"p", "image/png")


def test_what_people_send_is_theirs_alone(api: World) -> None:
    people = People(api)
    ada, ben = (people.signs_in(people.somebody()).access_token for _ in range(2))
    send(api, form(part("file", b"a key's", "a.txt")))
    path = send(api, form(part("file", b"ada's", "a.txt")), key=ada).json["path"]
    where = f"/storage/v1/object/authenticated/{path}"
    assert api("GET", where, key=ada).raw == stored(api, path) == b"ada's"
    for who in (ben, people.signs_in(people.somebody(is_anonymous=True)).access_token):
        assert api("GET", where, key=who).status == 404
    assert send(api, form(part("file", b"b", "a.txt")), "?bucket=photos", key=ben).status in (403, 404)


def test_usage_tells_what_each_bucket_holds(api: World) -> None:
    before = {each["bucket"]: each for each in api("GET", "/api/storage/usage").json["buckets"]}
    assert api("POST", "/storage/v1/bucket", {"name": "counted"}).status == 200
    for content in (b"12345", b"123"):
        send(api, form(part("file", content, "a.txt")), "?bucket=counted")
    usage = api("GET", "/api/storage/usage").json
    buckets = {each["bucket"]: each for each in usage["buckets"]}
    assert buckets["counted"] == {"bucket": "counted", "objects": 2, "bytes": 8, "max_bytes": None}
    assert {each: buckets[each] for each in before} == before
    assert usage["bytes"] == sum(each["bytes"] for each in buckets.values())
    assert usage["passing"]["late_seconds"] >= 0
