"""Uploads by TUS: each rule of the protocol, as its clients meet it."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from ogel.kernel.clock import utc_now
from tests.support.people import People
from tests.support.process import Response
from tests.support.world import World

ENDPOINT = "/storage/v1/upload/resumable"
TUS = {"tus-resumable": "1.0.0"}
OFFSET = {**TUS, "content-type": "application/offset+octet-stream"}
BUCKET = "tus"


@pytest.fixture(scope="module")
def bucket(api: World) -> str:
    api.ok("POST", "/storage/v1/bucket", {"name": BUCKET})
    return BUCKET


def metadata(name: str, bucket: str = BUCKET, **more: str) -> str:
    said = {"bucketName": bucket, "objectName": name, **more}
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in said.items())


def begin(
    api: World, name: str, length: int | None, raw: bytes = b"", *, key: str | None = None, **headers: str
) -> Response:
    sent = {**(OFFSET if raw else TUS), "upload-metadata": metadata(name)}
    if length is not None:
        sent["upload-length"] = str(length)
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return api(
        "POST", ENDPOINT, raw=raw, key=key, headers={name: value for name, value in sent.items() if value}
    )


def place(begun: Response) -> str:
    assert begun.status == 201, begun.raw
    location: str = begun.headers["location"]
    return location[location.index(ENDPOINT) :]


def send(api: World, path: str, offset: int, raw: bytes, key: str | None = None, **headers: str) -> Response:
    sent = {**OFFSET, "upload-offset": str(offset)}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return api("PATCH", path, raw=raw, key=key, headers=sent)


def offset(api: World, path: str) -> int:
    return int(api("HEAD", path, headers=TUS).headers["upload-offset"])


def content(api: World, name: str) -> bytes:
    got = api("GET", f"/storage/v1/object/authenticated/{BUCKET}/{name}")
    assert got.status == 200, got.raw
    return got.raw


def test_an_upload_goes_on_where_it_stopped_and_is_an_object_with_its_last_byte(
    api: World, bucket: str
) -> None:
    facts = {"contentType": "text/plain", "cacheControl": "3600", "metadata": '{"k":"v"}'}
    begun = begin(api, "größe/a.txt", 10, upload_metadata=metadata("größe/a.txt", **facts))
    path = place(begun)
    assert begun.headers["tus-resumable"] == "1.0.0"
    assert begun.headers["upload-expires"].endswith("GMT")
    head = api("HEAD", path, headers=TUS)
    assert (head.status, head.raw, head.headers["cache-control"]) == (200, b"", "no-store")
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("0", "10")
    assert head.headers["upload-metadata"] == metadata("größe/a.txt", **facts)
    first = send(api, path, 0, b"01234")
    assert (first.status, first.headers["upload-offset"]) == (204, "5")
    assert api("GET", f"/storage/v1/object/authenticated/{bucket}/gr%C3%B6%C3%9Fe/a.txt").status == 404
    assert send(api, path, 5, b"").headers["upload-offset"] == "5"
    last = send(api, path, 5, b"56789")
    assert (last.status, last.headers["upload-offset"], last.headers["tus-complete"]) == (204, "10", "1")
    got = api("GET", f"/storage/v1/object/authenticated/{bucket}/gr%C3%B6%C3%9Fe/a.txt")
    assert (got.raw, got.headers["content-type"]) == (b"0123456789", "text/plain")
    assert got.headers["etag"] == f'"{md5(b"0123456789").hex()}"'
    assert "max-age=3600" in got.headers["cache-control"]
    # The answer may have been lost: who asks again hears that all has come.
    assert offset(api, path) == 10
    assert send(api, path, 10, b"x").status == 409
    assert api("DELETE", path, headers=TUS).status == 409


def test_every_request_but_options_says_the_version(api: World, bucket: str) -> None:
    path = place(begin(api, "version", 3))
    for method, where in [("POST", ENDPOINT), ("HEAD", path), ("PATCH", path), ("DELETE", path)]:
        for version in ({}, {"tus-resumable": "0.2.2"}):
            refused = api(method, where, headers={**version, "upload-length": "3"})
            assert refused.status == 412, (method, refused.raw)
            assert refused.headers["tus-version"] == refused.headers["tus-resumable"] == "1.0.0"
    for where in (ENDPOINT, path):
        asked = api("OPTIONS", where, key="")
        assert (asked.status, asked.headers["tus-version"]) == (204, "1.0.0")
        assert set(asked.headers["tus-extension"].split(",")) == {
            "creation", "creation-with-upload", "creation-defer-length", "termination", "expiration", "checksum",
            "concatenation",
        }  # fmt: skip
        assert asked.headers["tus-max-size"] == "52428800"
        assert "sha1" in asked.headers["tus-checksum-algorithm"].split(",")
    preflight = api(
        "OPTIONS",
        path,
        key="",
        headers={"origin": "https://app.example.com", "access-control-request-method": "PATCH"},
    )
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    page = api("HEAD", path, headers={**TUS, "origin": "https://app.example.com"})
    assert {"Upload-Offset", "Location", "Upload-Length", "Tus-Resumable"} <= set(
        page.headers["access-control-expose-headers"].split(", ")
    )


def test_patches_that_break_a_rule_change_nothing(api: World, bucket: str) -> None:
    path = place(begin(api, "strict", 10))
    assert send(api, path, 0, b"abc").status == 204
    cases: list[tuple[int, Mapping[str, str], bytes]] = [
        (415, {"content-type": "application/octet-stream", "upload-offset": "3"}, b"x"),
        (400, {"content-type": "application/offset+octet-stream"}, b"x"),
        *((400, {**OFFSET, "upload-offset": wrong}, b"x") for wrong in ("x", "-1", "+3", "3.0", "٣", "", "9" * 30)),
        *((409, {**OFFSET, "upload-offset": str(wrong)}, b"x") for wrong in (0, 2, 4, 10, 10**15)),
        (413, {**OFFSET, "upload-offset": "3"}, b"12345678"),
        (400, {**OFFSET, "upload-offset": "3", "upload-length": "9"}, b"x"),
        (400, {**OFFSET, "upload-offset": "3", "upload-checksum": "sha3 AAAA"}, b"x"),
        (400, {**OFFSET, "upload-offset": "3", "upload-checksum": "sha1 !"}, b"x"),
        (460, {**OFFSET, "upload-offset": "3", "upload-checksum": "sha1 AAAA"}, b"x"),
    ]  # fmt: skip
    for status, headers, raw in cases:
        encoded = {name: value.encode().decode("latin-1") for name, value in headers.items()}
        answer = api("PATCH", path, raw=raw, headers={**TUS, **encoded})
        assert answer.status == status, (headers, answer.raw)
        assert "upload-offset" not in answer.headers
        assert answer.headers["tus-resumable"] == "1.0.0"
    assert offset(api, path) == 3
    assert send(api, path, 3, b"defghij").headers["tus-complete"] == "1"
    assert content(api, "strict") == b"abcdefghij"


def test_what_is_not_there_has_no_offset(api: World, bucket: str) -> None:
    for id in (str(uuid4()), "abc", "%00", "..", str(uuid4()).upper(), "ü" * 20, "a/b"):
        where = f"{ENDPOINT}/{id}".encode().decode("latin-1").encode("latin-1")
        path = "".join(chr(byte) if byte < 128 else f"%{byte:02X}" for byte in where)
        for method in ("HEAD", "DELETE"):
            answer = api(method, path, headers=TUS)
            assert answer.status == 404, (method, path)
            assert "upload-offset" not in answer.headers
        assert api("PATCH", path, raw=b"x", headers={**OFFSET, "upload-offset": "0"}).status == 404
    assert api("GET", f"{ENDPOINT}/{uuid4()}", headers=TUS).status == 405


def test_beginnings_that_break_a_rule_leave_nothing(api: World, bucket: str) -> None:
    said = metadata("wrong")
    cases: list[tuple[int, Mapping[str, str]]] = [
        (400, {"upload-metadata": said}),
        (400, {"upload-metadata": said, "upload-length": "5", "upload-defer-length": "1"}),
        (400, {"upload-metadata": said, "upload-defer-length": "2"}),
        *((400, {"upload-metadata": said, "upload-length": wrong}) for wrong in ("-1", "abc", "1e3", "", " ")),
        (413, {"upload-metadata": said, "upload-length": "52428801"}),
        (400, {"upload-length": "5"}),
        (400, {"upload-length": "5", "upload-metadata": ""}),
        (400, {"upload-length": "5", "upload-metadata": "objectName eA=="}),
        (400, {"upload-length": "5", "upload-metadata": "bucketName dHVz"}),
        (400, {"upload-length": "5", "upload-metadata": "bucketName !!!,objectName eA=="}),
        (400, {"upload-length": "5", "upload-metadata": f"{said},objectName eQ=="}),
        (400, {"upload-length": "5", "upload-metadata": f"{said},,"}),
        (400, {"upload-length": "5", "upload-metadata": f"{said},x {'QUFB' * 3000}"}),
        (400, {"upload-length": "5", "upload-metadata": "bucketName dHVz,objectName /w=="}),
        (400, {"upload-length": "5", "upload-metadata": metadata("a/../b")}),
        (400, {"upload-length": "5", "upload-metadata": metadata("a\0b")}),
        (400, {"upload-length": "5", "upload-metadata": metadata("x" * 1025)}),
        (404, {"upload-length": "5", "upload-metadata": metadata("x", "nowhere")}),
        (404, {"upload-length": "5", "upload-metadata": metadata("x", "a\0b")}),
        (400, {"upload-length": "5", "upload-metadata": said, "upload-concat": "both"}),
        (400, {"upload-metadata": said, "upload-concat": "final;"}),
        (404, {"upload-metadata": said, "upload-concat": "final;/files/a"}),
        (404, {"upload-metadata": said, "upload-concat": "final;http://[ ://"}),
        (415, {"upload-length": "5", "upload-metadata": metadata("wrong", contentType="text/plain\r\nx: y")}),
        (415, {"upload-length": "5", "upload-metadata": metadata("wrong", contentType="text/ü")}),
        (415, {"upload-length": "5", "upload-metadata": metadata("wrong", contentType="text/plain\n")}),
        (400, {"upload-metadata": said, "upload-concat": f"final;/files/{uuid4()}"}),
        (401, {"upload-length": "5", "upload-metadata": said, "authorization": "Bearer nobody"}),
    ]  # fmt: skip
    for status, headers in cases:
        answer = api("POST", ENDPOINT, raw=b"", headers={**TUS, **headers})
        assert answer.status == status, (headers, answer.raw)
        assert "location" not in answer.headers
        assert answer.headers["tus-resumable"] == "1.0.0"
    assert begin(api, "wrong", 3, b"12345").status == 413
    assert begin(api, "wrong", 5, b"12345", content_type="text/plain").status == 415
    assert begin(api, "wrong", 5, b"12345", upload_checksum="sha1 AAAA").status == 460
    assert rows(api, "SELECT count(*) FROM storage_uploads WHERE name = 'wrong'") == [(0,)]


def test_beginnings_take_bytes_no_bytes_and_lengths_that_come_later(api: World, bucket: str) -> None:
    whole = begin(api, "whole", 5, b"whole")
    assert (whole.status, whole.headers["upload-offset"]) == (201, "5")
    assert content(api, "whole") == b"whole"
    part = begin(api, "part", 10, b"parti")
    assert part.headers["upload-offset"] == "5"
    assert send(api, place(part), 5, b"al567").headers["tus-complete"] == "1"
    assert content(api, "part") == b"partial567"
    nothing = begin(api, "nothing", 0)
    assert content(api, "nothing") == b""
    assert offset(api, place(nothing)) == 0
    later = place(begin(api, "later", None, upload_defer_length="1"))
    head = api("HEAD", later, headers=TUS)
    assert head.headers["upload-defer-length"] == "1" and "upload-length" not in head.headers
    assert send(api, later, 0, b"01234").headers["upload-offset"] == "5"
    assert send(api, later, 5, b"567", upload_length="4").status == 400
    assert send(api, later, 5, b"567", upload_length="52428801").status == 413
    assert send(api, later, 5, b"567", upload_length="8").headers["tus-complete"] == "1"
    assert content(api, "later") == b"01234567"
    known = place(begin(api, "known", None, upload_defer_length="1"))
    assert send(api, known, 0, b"abc").status == 204
    assert send(api, known, 3, b"", upload_length="3").headers["tus-complete"] == "1"
    assert content(api, "known") == b"abc"


def test_metadata_that_is_none_is_left_out(api: World, bucket: str) -> None:
    for number, raw in enumerate(("{bad", "[1]", "[" * 4000, '{"a":"\\ud800"}', '{"a":"\\u0000"}')):
        assert begin(api, "", 1, b"x", upload_metadata=metadata(f"umd-{number}", metadata=raw)).status == 201
        assert rows(api, f"SELECT user_metadata FROM objects WHERE name = 'umd-{number}'") == [(None,)]


def test_checksums_are_kept_to_or_the_bytes_are_not(api: World, bucket: str) -> None:
    path = place(begin(api, "sums", 12))
    sums: Mapping[str, Callable[[bytes], bytes]] = {
        "sha1": lambda raw: hashlib.sha1(raw, usedforsecurity=False).digest(),
        "sha256": lambda raw: hashlib.sha256(raw).digest(),
        "md5": md5,
        "crc32": lambda raw: zlib.crc32(raw).to_bytes(4, "big"),
    }
    for at, (name, digest) in enumerate(sums.items()):
        raw = f"{at:03}".encode()
        wrong = send(api, path, at * 3, b"xyz", upload_checksum=f"{name} {b64encode(digest(raw)).decode()}")
        assert (wrong.status, offset(api, path)) == (460, at * 3)
        right = send(api, path, at * 3, raw, upload_checksum=f"{name} {b64encode(digest(raw)).decode()}")
        assert right.status == 204
    assert content(api, "sums") == b"000001002003"


def test_an_upload_that_is_given_up_is_gone_with_its_bytes(api: World, bucket: str) -> None:
    path = place(begin(api, "given-up", 10, b"12345"))
    assert api("DELETE", path, headers=TUS).status == 204
    for method in ("HEAD", "DELETE"):
        assert api(method, path, headers=TUS).status == 404
    assert send(api, path, 5, b"67890").status == 404
    late = place(begin(api, "late", 10, b"12345"))
    rows(api, "UPDATE storage_uploads SET expires_at = now() - interval '1 second' WHERE name = 'late'")
    assert api("HEAD", late, headers=TUS).status == 410
    assert send(api, late, 5, b"67890").status == 410
    nobodys = (
        "SELECT count(*) FROM storage_blobs AS b WHERE state = 'pending'"
        " AND NOT EXISTS (SELECT FROM storage_uploads AS u WHERE u.version = b.version)"
    )
    assert rows(api, nobodys) == [(0,)]


def test_an_upload_is_not_finished_without_all_of_its_bytes(api: World, bucket: str) -> None:
    path = place(begin(api, "holes", 10, b"12345"))
    of_it = "version = (SELECT version FROM storage_uploads WHERE name = 'holes')"
    rows(api, f"UPDATE storage_blobs SET state = 'deleting', version = NULL WHERE {of_it}")
    assert send(api, path, 5, b"67890").status == 410
    assert api("GET", f"/storage/v1/object/authenticated/{bucket}/holes").status == 404


def test_what_is_remembered_of_uploads_is_forgotten_in_time(api: World, bucket: str) -> None:
    for name, raw in (("old", b"whole"), ("older", b"who")):
        begin(api, name, 5, raw)
    rows(
        api,
        "UPDATE storage_uploads SET expires_at = now() - interval '2 days' WHERE name IN ('old', 'older')",
    )
    version = rows(api, "SELECT version FROM storage_uploads WHERE name = 'older'")[0][0]
    before = utc_now() - timedelta(days=1)
    [purge] = [each for each in api.platform.features["storage"].purges if each.name == "storage_uploads"]

    async def forget() -> tuple[int, int]:
        async with api.platform.core.database.transaction() as tx:
            return await purge.count(tx, before), (await purge.batch(tx, before, 100)).deleted

    assert api.run(forget()) == (2, 2)
    assert content(api, "old") == b"whole"
    assert rows(api, f"SELECT state FROM storage_blobs WHERE version = '{version}'") == [("deleting",)]


def test_parts_are_put_together(api: World, bucket: str) -> None:
    parts = [
        place(begin(api, "", 3, raw, upload_concat="partial", upload_metadata="")) for raw in (b"abc", b"def")
    ]
    head = api("HEAD", parts[0], headers=TUS)
    assert (head.headers["upload-concat"], head.headers["upload-offset"]) == ("partial", "3")
    unfinished = place(begin(api, "", 3, upload_concat="partial", upload_metadata=""))
    for wrong in ([*parts, unfinished], [parts[0], parts[0]]):
        refused = begin(api, "joined", None, upload_concat=f"final;{' '.join(wrong)}")
        assert refused.status == 400, refused.raw
    urls = f"final;http://localhost{parts[1]} {parts[0]}"
    assert begin(api, "joined", 6, upload_concat=urls).status == 400
    joined = begin(api, "joined", None, upload_concat=urls)
    assert content(api, "joined") == b"defabc"
    # The answer may have been lost.
    assert place(begin(api, "joined", None, upload_concat=urls)) == place(joined)
    assert begin(api, "other", None, upload_concat=urls).status == 400
    head = api("HEAD", place(joined), headers=TUS)
    assert (head.headers["upload-concat"], head.headers["upload-length"], head.headers["upload-offset"]) == (
        urls,
        "6",
        "6",
    )
    assert send(api, place(joined), 6, b"x").status == 403
    assert api("HEAD", parts[0], headers=TUS).status == 404
    expected = md5(md5(b"def") + md5(b"abc")).hex()
    got = api("GET", f"/storage/v1/object/authenticated/{bucket}/joined", headers={"range": "bytes=2-3"})
    assert (got.raw, got.headers["etag"]) == (b"fa", f'"{expected}-2"')


def test_methods_may_be_said_in_a_header(api: World, bucket: str) -> None:
    path = place(begin(api, "override", 3))
    said = {"upload-offset": "0", "x-http-method-override": "PATCH"}
    assert api("POST", path, raw=b"12", headers={**OFFSET, **said}).status == 204
    asked = api("POST", path, raw=b"", headers={**TUS, "x-http-method-override": "HEAD"})
    assert asked.headers["upload-offset"] == "2"
    assert api("POST", path, raw=b"", headers={**TUS, "x-http-method-override": "DELETE"}).status == 204
    assert api("POST", path, raw=b"", headers={**TUS, "x-http-method-override": "PUT"}).status == 400


def test_names_are_taken_once_unless_they_may_be_replaced(api: World, bucket: str) -> None:
    first, second = place(begin(api, "race", 3)), place(begin(api, "race", 3))
    assert send(api, first, 0, b"one").status == 204
    assert send(api, second, 0, b"two").status == 409
    assert (offset(api, second), content(api, "race")) == (0, b"one")
    assert begin(api, "race", 3).status == 409
    # What it became is replaced or deleted: who tries it again, with the URL that was kept, is to begin anew.
    over = place(begin(api, "race", 3, x_upsert="true"))
    assert send(api, over, 0, b"new").status == 204
    assert content(api, "race") == b"new"
    assert api("HEAD", first, headers=TUS).status == 410
    assert offset(api, over) == 3
    assert api("DELETE", f"/storage/v1/object/{BUCKET}/race").status == 200
    assert api("HEAD", over, headers=TUS).status == 410


def test_locations_are_where_the_client_came_from(api: World, bucket: str) -> None:
    cases: list[tuple[Mapping[str, str], str]] = [
        ({}, ENDPOINT),
        ({"host": "files.example.com:8080"}, f"http://files.example.com:8080{ENDPOINT}"),
        ({"host": "a.example.com", "x-forwarded-proto": "https"}, f"https://a.example.com{ENDPOINT}"),
        (
            {
                "host": "in",
                "x-forwarded-host": "out.example.com",
                "x-forwarded-port": "8443",
                "x-forwarded-proto": "https",
            },
            f"https://out.example.com:8443{ENDPOINT}",
        ),
        ({"host": "evil.example.com/x?"}, ENDPOINT),
    ]  # fmt: skip
    for headers, where in cases:
        sent = {**TUS, "upload-length": "1", "upload-metadata": metadata("where"), **headers}
        location = api("POST", ENDPOINT, raw=b"", headers=sent).headers["location"]
        assert location.rpartition("/")[0] == where


def test_a_token_for_an_upload_is_as_good_as_a_key_for_it_alone(api: World, bucket: str) -> None:
    token = api.ok("POST", f"/storage/v1/object/upload/sign/{bucket}/signed/%C3%BC")["token"]
    other = api.ok("POST", f"/storage/v1/object/upload/sign/{bucket}/other")["token"]

    def ask(method: str, path: str, signature: str | None, raw: bytes = b"", **headers: str) -> Response:
        sent = {**OFFSET, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return api(
            method,
            path,
            raw=raw,
            key="",
            headers=sent if signature is None else {**sent, "x-signature": signature},
        )

    said = {"upload_length": "6", "upload_metadata": metadata("signed/ü")}
    for wrong in (None, "abc", other, f"{token}x"):
        assert 400 <= ask("POST", f"{ENDPOINT}/sign", wrong, **said).status < 404
    begun = ask("POST", f"{ENDPOINT}/sign", token, b"abc", **said)
    path = place(begun)
    assert path.startswith(f"{ENDPOINT}/sign/")
    for wrong in (None, other):
        for method in ("HEAD", "PATCH", "DELETE"):
            assert 400 <= ask(method, path, wrong, upload_offset="3").status < 404
    assert ask("HEAD", path, token).headers["upload-offset"] == "3"
    assert ask("PATCH", path, token, b"def", upload_offset="3").headers["tus-complete"] == "1"
    assert content(api, "signed/%C3%BC") == b"abcdef"
    assert ask("POST", f"{ENDPOINT}/sign", token, **said).status == 409


def test_many_small_requests_are_few_blobs(api: World, bucket: str) -> None:
    path = place(begin(api, "small", 12 * 1024))
    for at in range(12):
        assert send(api, path, at * 1024, bytes([at]) * 1024).status == 204
    blobs = "SELECT count(*), sum(size) FROM storage_blobs JOIN objects USING (version) WHERE name = 'small'"
    assert rows(api, blobs) == [(1, 12 * 1024)]
    assert content(api, "small") == b"".join(bytes([at]) * 1024 for at in range(12))


def test_what_comes_in_pieces_is_encrypted_where_all_is(api: World) -> None:
    api.ok("POST", "/api/storage/buckets", {"id": "sealed", "encrypted": True})
    path = place(begin(api, "", 9, b"abc", upload_metadata=metadata("x", "sealed")))
    assert send(api, path, 3, b"def").status == 204
    assert send(api, path, 6, b"ghi").headers["tus-complete"] == "1"
    got = api("GET", "/storage/v1/object/authenticated/sealed/x", headers={"range": "bytes=2-6"})
    assert (got.status, got.raw) == (206, b"cdefg")
    sealed = "SELECT bool_and(sealed_key IS NOT NULL) FROM storage_blobs WHERE bucket_id = 'sealed'"
    assert rows(api, sealed) == [(True,)]
    part = place(begin(api, "", 3, b"abc", upload_concat="partial", upload_metadata=""))
    final = {"upload_concat": f"final;{part}", "upload_metadata": metadata("y", "sealed")}
    assert begin(api, "", None, **final).status == 400
    said = place(
        begin(api, "", 3, b"abc", upload_concat="partial", upload_metadata=metadata("part", "sealed"))
    )
    assert begin(api, "", None, **{**final, "upload_concat": f"final;{said}"}).status == 201
    assert api("GET", "/storage/v1/object/authenticated/sealed/y").raw == b"abc"


def md5(raw: bytes) -> bytes:
    return hashlib.md5(raw, usedforsecurity=False).digest()


def rows(api: World, sql: str) -> list[tuple[Any, ...]]:
    async def ask() -> list[tuple[Any, ...]]:
        async with api.platform.core.database.autocommit() as tx:
            statement = sql.encode()
            if not sql.startswith("SELECT"):
                await tx.execute(statement)
                return []
            return await tx.tuples(statement)

    return api.run(ask())


def test_only_who_began_it_goes_on(api: World, bucket: str) -> None:
    people = People(api)
    ada, bob = (people.signs_in(people.somebody()).access_token for _ in range(2))
    assert begin(api, "ada/x", 6, key=ada).status == 403
    rows(api, f"UPDATE buckets SET permissions = '{{\"create\": [\"users\"]}}' WHERE id = '{BUCKET}'")
    path = place(begin(api, "ada/x", 6, key=ada))
    assert send(api, path, 0, b"abc", key=ada).status == 204
    for key in (bob, None):  # nor who may do all else
        assert send(api, path, 3, b"def", key=key).status == 403
        assert api("HEAD", path, key=key, headers=TUS).status == 403
        assert api("DELETE", path, key=key, headers=TUS).status == 403
    # What may be is asked again when it becomes an object.
    rows(api, f"UPDATE buckets SET permissions = NULL WHERE id = '{BUCKET}'")
    assert send(api, path, 3, b"def", key=ada).status == 403
    assert int(api("HEAD", path, key=ada, headers=TUS).headers["upload-offset"]) == 3
    rows(api, f"UPDATE buckets SET permissions = '{{\"create\": [\"users\"]}}' WHERE id = '{BUCKET}'")
    assert send(api, path, 3, b"def", key=ada).headers["tus-complete"] == "1"
    assert content(api, "ada/x") == b"abcdef"
    assert rows(api, "SELECT owner_id IS NOT NULL FROM objects WHERE name = 'ada/x'") == [(True,)]
    # A part without a bucket is asked of no policy, so there is little room for those.
    most = 50 * 1024 * 1024
    parts = [
        begin(api, "", most, upload_concat="partial", upload_metadata="", key=ada).status for _ in range(3)
    ]
    assert parts == [201, 201, 429]
    nobody = api.ok("POST", "/api/keys", {"name": "web", "kind": "publishable"})["key"]
    assert begin(api, "", 3, upload_concat="partial", upload_metadata="", key=nobody).status == 400
    rows(api, f"UPDATE buckets SET permissions = NULL WHERE id = '{BUCKET}'")


def test_types_and_quotas_hold_for_what_comes_in_pieces(api: World) -> None:
    api.ok(
        "POST",
        "/api/storage/buckets",
        {"id": "pictures", "allowed_mime_types": ["image/*"], "quota_bytes": 100},
    )
    sent = {"upload_metadata": metadata("x", "pictures", contentType="text/plain")}
    assert begin(api, "", 8, **sent).status == 415
    lying = {"upload_metadata": metadata("x", "pictures", contentType="image/png")}
    path = place(begin(api, "", 20, b"<html>", **lying))
    assert send(api, path, 6, b"<body></body>x").status == 415
    assert api("HEAD", path, headers=TUS).status == 404
    png = b"\x89PNG\r\n\x1a\n" + bytes(50)
    assert begin(api, "", 58, upload_metadata=metadata("x", "pictures")).status == 415
    said = {"upload_metadata": metadata("x", "pictures", contentType="image/png")}
    path = place(begin(api, "", 58, png[:3], **said))
    assert send(api, path, 3, png[3:]).status == 204
    # 58 of 100 bytes are used.
    path = place(
        begin(api, "", 43, png[:20], upload_metadata=metadata("y", "pictures", contentType="image/png"))
    )
    full = send(api, path, 20, png[20:43])
    assert (full.status, b"no room left" in full.raw) == (413, True)
    assert offset(api, path) == 20
