"""A throwaway dialect behind the real server: what clients of other products need, without touching the shell."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from xml.etree import ElementTree

import aiohttp
import pytest
import structlog

from ogel.runtime.http import streamed
from ogel.runtime.process.vitals import resident_bytes
from tests.support.http import READER, Answer, World, ask, ask_raw, expect_problem, running, story
from tests.support.shelf import MOST_UPLOAD, ORIGIN, PREFIX, Shelf, by_session

KEY = {"apikey": "key-of-a-shelf"}
PNG = bytes(range(256)) * 100
FETCH = f"{PREFIX}/object/b/pictures/cat.png"


@asynccontextmanager
async def a_shelf(**options: Any) -> AsyncIterator[tuple[World, Shelf]]:
    shelf = Shelf()
    world = World(dialects=[shelf.dialect()], authenticators={"session": by_session})
    async with running(world, **options):
        yield world, shelf


@asynccontextmanager
async def with_a_picture() -> AsyncIterator[World]:
    async with a_shelf() as (world, _):
        stored = await ask(
            world, "POST", FETCH, data=PNG, headers={**KEY, "X-Keep": "1", "Content-Type": "image/png"}
        )
        assert stored.status == 201, stored.body
        yield world


def expect_xml(answer: Answer, status: int, code: str) -> ElementTree.Element:
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/xml"
    error = ElementTree.fromstring(answer.body)  # noqa: S314 - our own
    assert (error.tag, error.findtext("Code")) == ("Error", code)
    assert error.findtext("RequestId") == answer.headers["X-Request-Id"]
    return error


def form(
    boundary: str, *fields: tuple[str, bytes], end: bytes = b"--\r\n"
) -> tuple[bytes, Mapping[str, str]]:
    """A multipart body, and the head that goes with it."""
    body = b"".join(
        b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n"
        % (boundary.encode(), head.encode(), content)
        for head, content in fields
    )
    headers = {**KEY, "Content-Type": f'multipart/form-data; boundary="{boundary}"'}
    return body + b"--" + boundary.encode() + end, headers


@story
async def test_everything_that_goes_wrong_is_said_in_its_words() -> None:
    async with a_shelf() as (world, _):
        missing = expect_xml(await ask(world, "GET", FETCH, headers=KEY), 404, "NotFound")
        assert missing.findtext("Resource") == FETCH
        expect_xml(await ask(world, "GET", f"{PREFIX}/no/such/path"), 404, "NotFound")
        expect_xml(await ask(world, "GET", PREFIX), 404, "NotFound")
        expect_xml(await ask(world, "GET", f"{PREFIX}/%ff"), 400, "Malformed")
        wrong = await ask(world, "PATCH", FETCH, headers=KEY)
        expect_xml(wrong, 405, "MethodNotAllowed")
        assert wrong.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
        nobody = await ask(world, "GET", FETCH)
        expect_xml(nobody, 401, "Unauthenticated")
        assert nobody.headers["WWW-Authenticate"] == "Bearer"
        expect_xml(await ask(world, "GET", FETCH, headers={"apikey": "nobody"}), 401, "Unauthenticated")
        expect_xml(await ask(world, "GET", FETCH, headers={"apikey": "key-of-a-reader"}), 403, "Forbidden")
        limited = await ask(world, "GET", f"{PREFIX}/fail/limited")
        expect_xml(limited, 429, "RateLimited")
        assert limited.headers["Retry-After"] == "7"
        busy = expect_xml(await ask(world, "GET", f"{PREFIX}/fail/conflict"), 409, "Conflict")
        assert busy.findtext("Message") == "It is <there> & busy."
        expect_xml(await ask(world, "GET", f"{PREFIX}/fail/away"), 503, "InternalError")
        bug = await ask(world, "GET", f"{PREFIX}/fail/bug")
        expect_xml(bug, 500, "InternalError")
        assert b"secret" not in bug.body
        too_much = {**KEY, "Content-Type": "image/png", "Content-Length": str(MOST_UPLOAD + 1)}
        raw = await ask_raw(world, head("POST", FETCH, too_much))
        assert raw.startswith(b"HTTP/1.1 413 ")
        assert b"<Code>TooLarge</Code>" in raw
        expect_xml(await ask(world, "GET", f"{PREFIX}/list/b?max-keys=many", headers=KEY), 400, "Invalid")
        # Beside it, and where the names only begin alike, Ogel's own words.
        expect_problem(await ask(world, "GET", f"{PREFIX}x"), 404)
        expect_problem(await ask(world, "GET", "/api/things/1"), 401)
        expect_problem(await ask(world, "GET", "/api/things/1", headers=KEY), 401)


@story
async def test_a_renderer_that_fails_is_no_open_wound() -> None:
    async with a_shelf() as (world, _):
        with structlog.testing.capture_logs() as logs:
            answer = await ask(world, "GET", f"{PREFIX}/fail/renderer-bug")
        expect_problem(answer, 500)
        assert b"secret" not in answer.body
        assert "http.error_not_rendered" in [line["event"] for line in logs]


@story
async def test_readers_are_asked_in_order_and_the_first_word_counts() -> None:
    async with a_shelf() as (world, _):

        async def status(**headers: str) -> int:
            return (await ask(world, "GET", f"{PREFIX}/list/b", headers=headers)).status

        assert await status(apikey="key-of-a-shelf") == 200
        assert await status(Authorization="Bearer key-of-a-shelf") == 200
        # As supabase-js sends it: both, and the session or key of the user counts.
        assert await status(Authorization="Bearer key-of-a-shelf", apikey="nobody") == 200
        assert await status(Authorization="Bearer nobody", apikey="key-of-a-shelf") == 401
        assert await status(Authorization="Basic eDp5", apikey="key-of-a-shelf") == 200
        assert await status(Cookie="a=b; session=of-ada") == 200
        assert await status(Cookie="session=of-nobody", apikey="key-of-a-shelf") == 401
        me = await ask(world, "GET", f"{PREFIX}/me", headers={"Cookie": "session=of-ada"})
        assert me.json == {
            "id": "usr_ada",
            "role": "authenticated",
            "claims": {"sub": "ada"},
            "session": "ses_1",
        }
        # A key is nobody who signed in, and who signed in holds no key.
        expect_xml(await ask(world, "GET", f"{PREFIX}/me", headers=KEY), 403, "Forbidden")
        signed_in = {"Cookie": "session=of-ada", "Content-Type": "image/png"}
        expect_xml(await ask(world, "POST", FETCH, data=b"x", headers=signed_in), 403, "Forbidden")


@story
async def test_parameters_that_it_does_not_know_are_not_looked_at() -> None:
    async with a_shelf() as (world, _):
        listed = await ask(
            world, "GET", f"{PREFIX}/list/b?list-type=2&max-keys=5&max-keys=6&prefix=a%2Fb&X-Amz-Date=now&uploads",
            headers=KEY,
        )  # fmt: skip
        assert listed.json == {"prefix": "a/b", "most": 5, "bucket": "b"}
        assert (await ask(world, "GET", f"{PREFIX}/list/b?prefix=null", headers=KEY)).json["prefix"] == "null"
        rest = await ask(world, "GET", f"{PREFIX}/rest?id=gt.1&id=lt.5&select=*&empty=", headers=KEY)
        assert rest.json == [["id", "gt.1"], ["id", "lt.5"], ["select", "*"], ["empty", ""]]
        assert (await ask(world, "GET", f"{PREFIX}/rest", headers=KEY)).json == []
        assert (await ask(world, "GET", f"{PREFIX}/fail/conflict?what=ever")).status == 409
        many = "&".join(f"p{n}=" for n in range(60))
        expect_xml(await ask(world, "GET", f"{PREFIX}/list/b?{many}", headers=KEY), 400, "Malformed")


@story
async def test_a_path_is_all_that_follows() -> None:
    async with a_shelf() as (world, shelf):
        for raw, key in (
            ("b/a/b/c.txt", "b/a/b/c.txt"),
            ("b/a%2Fb", "b/a/b"),
            ("b/%C3%A9t%C3%A9%20%2B%25.txt", "b/été +%.txt"),
            ("b/dir/", "b/dir/"),
            ("b/a//b", "b/a//b"),
            ("b/../secret", "b/../secret"),
            ("b/object/b", "b/object/b"),
        ):
            request = head(
                "POST", f"{PREFIX}/object/{raw}", {**KEY, "Content-Type": "x/y", "Content-Length": "1"}
            )
            answer = await ask_raw(world, request + b"x")
            assert answer.startswith(b"HTTP/1.1 201 "), (raw, answer)
            assert key in shelf.objects, raw
        for raw in ("b", "b/", "", "b/%00", "b/a%0Ab"):
            answer = await ask_raw(world, head("GET", f"{PREFIX}/object/{raw}", KEY))
            assert answer.startswith(b"HTTP/1.1 404 "), raw
            assert b"<Error>" in answer


@story
async def test_an_upload_is_read_as_it_comes_and_never_held() -> None:
    async with a_shelf() as (world, shelf):
        piece = bytes(range(256)) * 4096

        async def pieces(count: int) -> AsyncIterator[bytes]:
            for _ in range(count):
                yield piece

        async def upload(key: str, data: Any, **headers: str) -> Answer:
            return await ask(world, "POST", f"{PREFIX}/object/b/{key}", data=data, headers={**KEY, **headers})

        assert (await upload("warm", pieces(4), **{"Content-Type": "x/y"})).status == 201
        before = resident_bytes()
        assert (await upload("raw", pieces(40), **{"Content-Type": "x/y"})).status == 201
        with aiohttp.MultipartWriter("form-data") as writer:
            for name, filename in (("note", None), ("file", "cat.png"), ("skipped", "dog.png")):
                part = writer.append(pieces(20) if filename else "a note", {"Content-Type": "image/png"})
                part.set_content_disposition(
                    "form-data", name=name, **({"filename": filename} if filename else {})
                )
        answer = await upload("multi", writer)
        assert answer.json == {
            "Key": "b/multi",
            "fields": {"note": "a note", "file": ["cat.png", "image/png"]},
        }
        assert shelf.objects["b/raw"].digest == hashlib.sha256(piece * 40).hexdigest()
        assert shelf.objects["b/multi"].digest == hashlib.sha256(piece * 20).hexdigest()
        assert max(each.largest_piece for each in shelf.objects.values()) <= 512 * 1024
        assert resident_bytes() - before < 24 * 1024 * 1024


@story
async def test_more_than_the_limit_is_refused_while_it_comes() -> None:
    async with a_shelf() as (world, shelf):

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(MOST_UPLOAD // (1 << 20) + 4):
                yield b"x" * (1 << 20)

        answer = await ask(world, "POST", FETCH, data=pieces(), headers={**KEY, "Content-Type": "x/y"})
        expect_xml(answer, 413, "TooLarge")
        # What is decoded in one go has the smaller of its own limit and the process's.
        data = "grant_type=" + "x" * 5000
        expect_xml(await ask(world, "POST", f"{PREFIX}/token", data=data, headers=FORM), 413, "TooLarge")
        assert shelf.objects == {}


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@story
async def test_hostile_multipart_is_refused_and_bounded() -> None:
    async with a_shelf() as (world, shelf):

        async def post(body: bytes, headers: Mapping[str, str]) -> Answer:
            return await ask(world, "POST", FETCH, data=body, headers=headers)

        file = 'name="file"; filename="a"'
        hostile = {
            "no boundary": (400, b"--x--\r\n", {**KEY, "Content-Type": "multipart/form-data"}),
            "an empty boundary": (
                400,
                b"----\r\n",
                {**KEY, "Content-Type": 'multipart/form-data; boundary=""'},
            ),
            "a boundary too long": (400, *form("b" * 71, (file, b"x"))),
            "a boundary with a space at its end": (400, *form("b ", (file, b"x"))),
            "another multipart": (415, b"--b--", {**KEY, "Content-Type": "multipart/mixed; boundary=b"}),
            "another boundary": (400, form("b", (file, b"x"))[0], form("c")[1]),
            "no end": (400, *form("b", (file, b"x"), end=b"")),
            "an end in the middle of a boundary": (400, b"--b\r\nContent-Disposition: form-da", form("b")[1]),
            "nothing": (400, b"", form("b")[1]),
            "no disposition": (400, b"--b\r\nA: b\r\n\r\nx\r\n--b--\r\n", form("b")[1]),
            "not UTF-8": (
                400,
                b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n--b--',
                form("b")[1],
            ),
            "bare line feeds": (
                400,
                b'--b\nContent-Disposition: form-data; name="a"\n\nx\n--b--',
                form("b")[1],
            ),
            "too many parts": (413, *form("b", *[(f'name="n{n}"', b"") for n in range(6)])),
            "too many headers": (413, b"--b\r\n" + b"A: b\r\n" * 9 + b"\r\nx\r\n--b--\r\n", form("b")[1]),
            "a header too long": (413, b"--b\r\nA: " + b"x" * 5000 + b"\r\n\r\nx\r\n--b--\r\n", form("b")[1]),
            "a header without end": (413, b"--b\r\nA: " + b"x" * 200_000, form("b")[1]),
            "a field too large": (413, *form("b", ('name="note"', b"x" * 1025))),
        }
        for what, (status, body, headers) in hostile.items():
            answer = await post(body, headers)
            assert answer.status == status, (what, answer.status, answer.body)
            assert answer.headers["Content-Type"] == "application/xml", what
            assert b"Error(" not in answer.body, what
        assert shelf.objects == {}
        friendly = {
            "a preamble": b"this is ignored\r\n" + form("b", (file, b"x"))[0],
            "a name that is empty": form("b", ('name=""; filename="a"', b"x"))[0],
            "no name": form("b", ('filename="a"', b"x"))[0],
            "an epilogue": form("b", (file, b"x"))[0] + b"\r\nthis too" * 1000,
            "no line end behind it": form("b", (file, b"x"), end=b"--")[0],
        }
        for what, body in friendly.items():
            assert (await post(body, form("b")[1])).status == 201, what
        almost = b"\r\n--B\r\n--bb\r\r\n-\r\n--\r\n" * 1000
        assert (await post(*form("bbbb", (file, almost)))).status == 201
        assert shelf.objects["b/pictures/cat.png"].digest == hashlib.sha256(almost).hexdigest()


@story
async def test_boundaries_that_come_in_pieces_are_found() -> None:
    async with a_shelf() as (world, shelf):
        content = b"\r\n--bo\r\n--boundar" * 20
        body, headers = form("boundary", ('name="note"', b"n"), ('name="file"; filename="a"', content))
        for size in (1, 2, 3, 7):
            raw = {**headers, "Transfer-Encoding": "chunked", "Connection": "close"}
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(head("POST", FETCH, raw))
            for at in range(0, len(body), size):
                piece = body[at : at + size]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await asyncio.sleep(0)
            writer.write(b"0\r\n\r\n")
            answer = await reader.read()
            writer.close()
            assert b"HTTP/1.1 201 " in answer, answer
            assert shelf.objects["b/pictures/cat.png"].digest == hashlib.sha256(content).hexdigest()


@story
async def test_who_sends_too_slowly_is_let_go() -> None:
    async with a_shelf(body_timeout_seconds=0.3) as (world, _):
        for headers in ({**KEY, "Content-Type": "x/y"}, form("b")[1]):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(head("POST", FETCH, {**headers, "Content-Length": "1000000"}) + b"--b\r\n")
            answer = await reader.read()
            writer.close()
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"<Code>RequestTimeout</Code>" in answer


@story
async def test_a_steady_client_is_slow_for_as_long_as_it_likes() -> None:
    assert streamed.LEAST_BYTES_PER_SECOND == 512
    async with a_shelf(body_timeout_seconds=0.3) as (world, shelf):

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(10):
                await asyncio.sleep(0.1)  # what is sent meanwhile is worth two seconds
                yield b"x" * 1024

        answer = await ask(world, "POST", FETCH, data=pieces(), headers={**KEY, "Content-Type": "x/y"})
        assert answer.status == 201
        assert shelf.objects["b/pictures/cat.png"].size == 10 * 1024


@story
async def test_who_leaves_in_the_middle_of_an_upload_leaves_nothing() -> None:
    async with a_shelf() as (world, shelf):
        with structlog.testing.capture_logs() as logs:
            _, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(
                head("POST", FETCH, {**KEY, "Content-Type": "x/y", "Content-Length": "99"}) + b"some"
            )
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            while not any(line["event"] == "http.request" for line in logs):
                await asyncio.sleep(0.01)
        assert [line["status"] for line in logs if line["event"] == "http.request"] == [499]
        assert not any(line["log_level"] == "error" for line in logs)
        assert shelf.objects == {}


@story
async def test_ranges() -> None:
    async with with_a_picture() as world:
        size = len(PNG)

        async def get(asked: str | None, method: str = "GET", **headers: str) -> Answer:
            ranged = {} if asked is None else {"Range": asked}
            return await ask(world, method, FETCH, headers={**KEY, **ranged, **headers})

        whole = await get(None)
        assert (whole.status, whole.body, whole.headers["Accept-Ranges"]) == (200, PNG, "bytes")
        assert whole.headers["Content-Length"] == str(size)
        assert whole.headers["Last-Modified"] == "Sun, 01 Nov 2026 12:00:00 GMT"
        for asked, first, last in (
            ("bytes=0-0", 0, 0),
            ("bytes=0-99", 0, 99),
            ("bytes=100-", 100, size - 1),
            ("bytes=-1", size - 1, size - 1),
            ("bytes=-300", size - 300, size - 1),
            (f"bytes=-{size + 1}", 0, size - 1),
            (f"bytes=5-{size * 9}", 5, size - 1),
            (f"bytes={size - 1}-", size - 1, size - 1),
            ("Bytes = 1-2", 1, 2),
        ):
            part = await get(asked)
            assert part.status == 206, asked
            assert part.headers["Content-Range"] == f"bytes {first}-{last}/{size}", asked
            assert part.body == PNG[first : last + 1], asked
            assert part.headers["Cache-Control"] == "max-age=3600"
        for asked in (f"bytes={size}-", f"bytes={size}-{size + 5}", "bytes=-0", "bytes=999999999999999999-"):
            refused = await get(asked)
            expect_xml(refused, 416, "RangeNotSatisfiable")
            assert refused.headers["Content-Range"] == f"bytes */{size}", asked
        for asked in (
            "bytes=5-4", "bytes=a-b", "bytes=", "bytes=-", "items=0-5", "0-5", "bytes=0-1,5-4", "bytes=--5",
            "bytes=0x1-2", "bytes=" + "9" * 400 + "-", "bytes=\u0661-\u0662", "bytes=0-1,x", "bytes=1 - 2",
            "bytes=" + ",".join(f"{at}-{at}" for at in range(0, 18, 2)), "bytes=,",
            "bytes=" + "0-," * 101,
        ):  # fmt: skip
            ignored = await get(asked)
            assert (ignored.status, len(ignored.body)) == (200, size), asked
        for asked in ("bytes=0-5", "bytes=0-1,4-5"):
            head = await get(asked, "HEAD")
            assert (head.status, head.body) == (206, b"")
            assert head.headers["Content-Length"] == (await get(asked)).headers["Content-Length"]
        assert (await get("bytes=0-5", "HEAD")).headers["Content-Range"] == f"bytes 0-5/{size}"


@story
async def test_several_ranges() -> None:
    async with with_a_picture() as world:
        size = len(PNG)

        async def get(asked: str) -> Answer:
            return await ask(world, "GET", FETCH, headers={**KEY, "Range": asked})

        for asked, expected in (
            ("bytes=0-1,5-6", [(0, 1), (5, 6)]),
            ("bytes= 0-1 ,, 5-6,", [(0, 1), (5, 6)]),
            ("bytes=100-199,-1,0-0", [(100, 199), (size - 1, size - 1), (0, 0)]),
            (f"bytes=0-0,{size}-,5-5", [(0, 0), (5, 5)]),
            ("bytes=50-60,5-20,10-30", [(5, 30), (50, 60)]),
            (
                "bytes=" + ",".join(f"{at}-{at}" for at in range(0, 16, 2)),
                [(at, at) for at in range(0, 16, 2)],
            ),
        ):
            answer = await get(asked)
            assert answer.status == 206, asked
            assert answer.headers["Content-Length"] == str(len(answer.body))
            assert "Content-Range" not in answer.headers
            assert in_parts(answer) == [
                (f"bytes {first}-{last}/{size}", "image/png", PNG[first : last + 1])
                for first, last in expected
            ], asked
        # What is left is one part, or was asked for as many that are all the same: no more is sent than there is.
        for asked, first, last in (
            ("bytes=0-9,10-19", 0, 19),
            (f"bytes=7-7,{size}-", 7, 7),
            ("bytes=" + ",".join(["0-"] * 100), 0, size - 1),
        ):
            answer = await get(asked)
            assert (answer.status, answer.body) == (206, PNG[first : last + 1])
            assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{size}"
        refused = await get(f"bytes={size}-,-0,{size + 9}-{size + 10}")
        expect_xml(refused, 416, "RangeNotSatisfiable")


def in_parts(answer: Answer) -> list[tuple[str, str, bytes]]:
    """Content-Range, Content-Type and content of each part."""
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.body, policy=email.policy.HTTP)
    return [
        (part["Content-Range"], part["Content-Type"], part.get_payload(decode=True))
        for part in message.iter_parts()
    ]


@story
async def test_digests() -> None:
    async with a_shelf() as (world, shelf):
        sha256, md5 = (
            base64.b64encode(hashlib.new(name, PNG).digest()).decode() for name in ("sha256", "md5")
        )
        sha512 = base64.b64encode(hashlib.sha512(PNG).digest()).decode()
        other = base64.b64encode(bytes(32)).decode()

        async def put(**headers: str) -> int:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            sent = {**KEY, "X-Keep": "1", "Content-Type": "image/png", **named}
            shelf.objects.clear()
            answer = await ask(world, "POST", FETCH, data=PNG, headers=sent)
            assert bool(shelf.objects) == (answer.status == 201)
            return answer.status

        for headers in (
            {"Content_MD5": md5},
            {"Content_Digest": f"sha-256=:{sha256}:"},
            {"Content_Digest": f"sha-512=:{sha512}: , sha-256=:{sha256}:;q=1"},
            {"Repr_Digest": f"sha-256=:{sha256}:", "Content_MD5": md5},
            {"Content_Digest": "md5=:AAAA:, unknown=:AAAA:"},
        ):
            assert await put(**headers) == 201, headers
        for headers in (
            {"Content_MD5": md5[:-2]},
            {"Content_MD5": base64.b64encode(bytes(16)).decode()},
            {"Content_MD5": "nonsense"},
            {"Content_Digest": f"sha-256=:{other}:"},
            {"Content_Digest": f"sha-256=:{sha256}:, sha-512=:{other}:"},
            {"Content_Digest": f"sha-256=:{sha256}:", "Repr_Digest": f"sha-256=:{other}:"},
            {"Content_Digest": f"sha-256={sha256}"},
            {"Content_Digest": "sha-256=:AAAA:"},
            {"Content_Digest": ""},
        ):
            assert await put(**headers) == 400, headers
        await put()
        for wanted, expected in ((None, True), ("sha-256=10", True), ("sha-512=3, sha-256=0", False)):
            asked = {} if wanted is None else {"Want-Repr-Digest": wanted}
            answer = await ask(world, "GET", FETCH, headers={**KEY, "Range": "bytes=0-0", **asked})
            assert answer.headers.get("Repr-Digest") == (f"sha-256=:{sha256}:" if expected else None)


@story
async def test_conditions() -> None:
    async with with_a_picture() as world:
        etag = f'"{hashlib.sha256(PNG).hexdigest()}"'
        then, before, later = (
            f"Sun, 01 Nov 2026 {time} GMT" for time in ("12:00:00", "11:59:59", "12:00:01")
        )

        async def status(method: str = "GET", **headers: str) -> int:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            answer = await ask(world, method, FETCH, headers={**KEY, **named})
            if answer.status == 304:
                assert (answer.body, answer.headers["ETag"]) == (b"", etag)
            return answer.status

        some = "bytes=0-9"
        for expected, headers in (
            (206, {"Range": some, "If_Range": etag}),
            (206, {"Range": some, "If_Range": then}),
            (200, {"Range": some, "If_Range": '"other"'}),
            (200, {"Range": some, "If_Range": f"W/{etag}"}),
            (200, {"Range": some, "If_Range": before}),
            (200, {"Range": some, "If_Range": later}),
            (200, {"Range": some, "If_Range": "nonsense"}),
            (304, {"If_None_Match": etag}),
            (304, {"If_None_Match": f'"a", W/{etag}'}),
            (304, {"If_None_Match": "*"}),
            (304, {"If_None_Match": etag, "Range": "bytes=99999999-"}),
            (200, {"If_None_Match": '"a"'}),
            (200, {"If_None_Match": '"a"', "If_Modified_Since": later}),
            (304, {"If_Modified_Since": then}),
            (304, {"If_Modified_Since": later}),
            (200, {"If_Modified_Since": before}),
            (200, {"If_Modified_Since": "yesterday"}),
            (200, {"If_Match": etag}),
            (200, {"If_Match": "*"}),
            (412, {"If_Match": '"a"'}),
            (412, {"If_Match": f"W/{etag}"}),
            (200, {"If_Unmodified_Since": then}),
            (412, {"If_Unmodified_Since": before}),
            (200, {"If_Match": etag, "If_Unmodified_Since": before}),
        ):
            assert await status(**headers) == expected, headers
        assert await status("HEAD", If_None_Match=etag) == 304


@story
async def test_nothing_at_all_has_no_ranges() -> None:
    async with a_shelf() as (world, _):
        await ask(world, "POST", FETCH, data=b"", headers={**KEY, "X-Keep": "1", "Content-Type": "image/png"})
        for headers in ({}, {"Range": "bytes=-5"}):
            answer = await ask(world, "GET", FETCH, headers={**KEY, **headers})
            assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")
        for asked in ("bytes=0-", "bytes=0-0", "bytes=-0"):
            refused = await ask(world, "GET", FETCH, headers={**KEY, "Range": asked})
            expect_xml(refused, 416, "RangeNotSatisfiable")
            assert refused.headers["Content-Range"] == "bytes */0"


@story
async def test_whoever_has_enough_of_an_endless_body_ends_it() -> None:
    async with a_shelf() as (world, shelf):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(head("GET", f"{PREFIX}/endless", {}))
        await reader.readexactly(1_000_000)
        writer.transport.abort()
        await asyncio.wait_for(shelf.left.wait(), 10)
        # A HEAD asks for none of it.
        pieces = shelf.pieces
        answer = await ask(world, "HEAD", f"{PREFIX}/endless")
        assert (answer.status, shelf.pieces) == (200, pieces)


@story
async def test_who_reads_slowly_is_sent_no_more_than_fits() -> None:
    async with a_shelf() as (world, shelf):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
        writer.write(head("GET", f"{PREFIX}/endless", {}))
        await reader.readexactly(100)
        before = -1
        while shelf.pieces != before:
            before = shelf.pieces
            await asyncio.sleep(0.2)
        assert shelf.pieces < 500  # what sockets hold
        writer.transport.abort()
        await asyncio.wait_for(shelf.left.wait(), 10)


@story
async def test_pages_of_other_origins() -> None:
    async with a_shelf() as (world, _):
        preflight = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "apikey, x-upsert,x-supabase-api-version",
        }
        answer = await ask(world, "OPTIONS", FETCH, headers=preflight)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS, POST"
        assert answer.headers["Access-Control-Allow-Headers"] == "apikey, x-upsert,x-supabase-api-version"
        assert answer.headers["Vary"] == "Origin"
        # Errors, too: without the fields a page cannot see what went wrong.
        for path, method, status in (
            (FETCH, "GET", 401),
            (f"{PREFIX}/nothing", "GET", 404),
            (FETCH, "PUT", 405),
        ):
            wrong = await ask(world, method, path, headers={"Origin": ORIGIN})
            assert (wrong.status, wrong.headers["Access-Control-Allow-Origin"]) == (status, ORIGIN)
            assert wrong.headers["Access-Control-Expose-Headers"] == "ETag, Content-Range"
        for origin in (
            "https://evil.example.com",
            "null",
            f"{ORIGIN}.evil.example",
            "http://app.example.com",
        ):
            for method in ("OPTIONS", "GET"):
                other = await ask(world, method, FETCH, headers={**preflight, "Origin": origin})
                assert not [name for name in other.headers if name.lower().startswith("access-control")]
                assert other.headers["Vary"] == "Origin"
        # What tus asks is no preflight; and where no route answers it, the shell does.
        tus = await ask(world, "OPTIONS", FETCH, headers={"Origin": ORIGIN})
        assert (tus.status, tus.headers["Tus-Version"]) == (204, "1.0.0")
        plain = await ask(world, "OPTIONS", f"{PREFIX}/list/b")
        assert (plain.status, plain.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
        # A stream is asked for with a header, too, and so after a preflight.
        stream = await ask(world, "OPTIONS", f"{PREFIX}/listen", headers=preflight)
        assert (stream.status, stream.headers["Access-Control-Allow-Origin"]) == (204, ORIGIN)
        assert stream.headers["Access-Control-Allow-Methods"] == stream.headers["Allow"] == "GET, OPTIONS"
        refused = await ask(world, "POST", f"{PREFIX}/listen", headers={"Origin": ORIGIN})
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, OPTIONS")
        # Ogel's own API has no pages elsewhere.
        own = await ask(world, "OPTIONS", "/api/things", headers=preflight)
        expect_problem(own, 405)
        assert "Access-Control-Allow-Origin" not in own.headers
        forged = b"Access-Control-Request-Headers: a\x0bb\r\n"
        raw = await ask_raw(
            world, head("OPTIONS", FETCH, dict(list(preflight.items())[:2]))[:-2] + forged + b"\r\n"
        )
        assert b"allow-headers" not in raw.lower()


@story
async def test_forms_cookies_and_redirects() -> None:
    async with a_shelf() as (world, _):
        answer = await ask(
            world, "POST", f"{PREFIX}/token", headers=FORM, data="grant_type=password&username=ada+l&x=1"
        )
        assert answer.json == {"expires_in": 3600}
        cookies = answer.headers.getall("Set-Cookie")
        assert len(cookies) == 2
        assert cookies[0].startswith('session="of-ada l"; ')
        for attribute in ("HttpOnly", "Secure", "SameSite=Lax", f"Path={PREFIX}", "Max-Age=3600"):
            assert attribute in cookies[0].split("; ")
        assert "Max-Age=0" in cookies[1].split("; ")
        json = await ask(world, "POST", f"{PREFIX}/token", json={"grant_type": "password"})
        expect_xml(json, 415, "UnsupportedMedia")
        expect_xml(
            await ask(world, "POST", f"{PREFIX}/token", headers=FORM, data="username=x"), 400, "Invalid"
        )
        late = "grant_type=x&username=a&expires_in=late"
        expect_xml(await ask(world, "POST", f"{PREFIX}/token", headers=FORM, data=late), 400, "Invalid")
        many = "&".join(f"p{n}=" for n in range(60))
        expect_xml(await ask(world, "POST", f"{PREFIX}/token", headers=FORM, data=many), 400, "Malformed")
        moved = await ask(world, "GET", f"{PREFIX}/old/a%20b%0d/%C3%A9", allow_redirects=False)
        assert moved.status == 404  # no resource has a control character in its path
        moved = await ask(world, "GET", f"{PREFIX}/old/a%20b/%C3%A9", allow_redirects=False)
        assert (moved.status, moved.headers["Location"]) == (307, f"{PREFIX}/object/b/a%20b/%C3%A9?from=old")


@story
async def test_streams_are_let_in_as_routes_are() -> None:
    async with a_shelf() as (world, _):
        heard = await ask(world, "GET", f"{PREFIX}/listen?vsn=1.0.0", headers=KEY)
        assert (heard.status, heard.body) == (200, b"data: key_shelf\n\n")
        assert (await ask(world, "GET", f"{PREFIX}/listen?key=key-of-a-shelf")).status == 200
        expect_xml(await ask(world, "GET", f"{PREFIX}/listen"), 401, "Unauthenticated")
        expect_xml(await ask(world, "GET", f"{PREFIX}/listen", headers=READER), 403, "Forbidden")
        assert (await ask(world, "HEAD", f"{PREFIX}/listen", headers=KEY)).status == 405
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"{world.url}{PREFIX}/socket", headers=KEY) as socket:
                assert await socket.receive_str() == "key_shelf"
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"{world.url}{PREFIX}/socket")
            assert refused.value.status == 401


def head(method: str, path: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    if "Connection" not in headers:
        lines.append("Connection: close")
    assert not any(re.search(r"[\r\n]", line) for line in lines)
    return "\r\n".join([*lines, "", ""]).encode()
