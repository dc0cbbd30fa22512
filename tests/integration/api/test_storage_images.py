"""Pictures of another size and format, as browsers ask for them; and pictures that mean harm."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import pytest
from PIL import Image

from ogel.features.storage.buckets.bucket import NewBucket
from ogel.features.storage.errors import StorageError
from ogel.features.storage.images import pool, service
from ogel.features.storage.images.pool import ImagePool
from ogel.features.storage.images.turns import TooManyWait, Turns
from ogel.features.storage.images.wanted import Wanted
from ogel.features.storage.images.worker import geometry
from ogel.features.storage.services import Storage
from ogel.kernel.principal import SYSTEM, Caller
from tests.support.process import Response
from tests.support.world import World

BROWSER = {"accept": "image/avif,image/webp,image/apng,*/*;q=0.8"}
PUBLIC, PRIVATE = "/render/image/public", "/render/image/authenticated"


@pytest.fixture(scope="module")
def storage(api: World) -> Iterator[Storage]:
    found: Storage = api.platform.features["storage"].offers
    yield found
    api.run(found.image_pool.close())


@pytest.fixture(scope="module")
def bucket(api: World, storage: Storage) -> str:
    id = f"pictures-{uuid4().hex[:8]}"
    api.run(storage.buckets.create(Caller(SYSTEM, "req_1"), NewBucket(id, public=True)))
    return id


def a_picture(
    width: int, height: int, format: str = "JPEG", *, mode: str = "RGB", colour: Any = "red", **options: Any
) -> bytes:
    made = io.BytesIO()
    Image.new(mode, (width, height), colour).save(made, format, **options)
    return made.getvalue()


def stored(api: World, bucket: str, content: bytes, type: str = "image/jpeg", name: str | None = None) -> str:
    name = name or f"{uuid4().hex}/ü.jpg"
    path = f"/storage/v1/object/{bucket}/{name.replace('ü', '%C3%BC')}"
    answer = api("POST", path, raw=content, headers={"content-type": type, "x-upsert": "true"})
    assert answer.status == 200, answer.raw
    return f"{bucket}/{name.replace('ü', '%C3%BC')}"


def rendered(api: World, at: str, door: str = PRIVATE, headers: Any = None, **query: Any) -> Response:
    return api("GET", f"/storage/v1{door}/{at}?{urlencode(query)}", headers=headers)


def seen(answer: Response) -> tuple[str, tuple[int, int]]:
    """Its format and size, and that the head says so, too."""
    assert answer.status == 200, answer.raw
    picture = Image.open(io.BytesIO(answer.raw))
    assert answer.headers["content-type"] == f"image/{str(picture.format).lower()}"
    return str(picture.format), picture.size


def test_a_picture_gets_the_size_that_is_asked_for(api: World, storage: Storage, bucket: str) -> None:
    at = stored(api, bucket, a_picture(400, 200))
    for query, size in (
        ({}, (400, 200)),
        ({"width": 100}, (100, 50)),
        ({"height": 50}, (100, 50)),
        ({"width": 100, "height": 100}, (100, 100)),
        ({"width": 100, "height": 100, "resize": "contain"}, (100, 50)),
        ({"width": 100, "height": 100, "resize": "fill"}, (100, 100)),
        ({"width": 1000, "height": 1000}, (400, 200)),  # nothing is made larger
        ({"width": 0, "height": 0}, (400, 200)),
    ):
        assert seen(rendered(api, at, **query)) == ("JPEG", size), query


def test_a_part_of_a_picture_is_its_middle() -> None:
    assert geometry((400, 200), (100, 100), "cover") == ((100.0, 0.0, 300.0, 200.0), (100, 100))
    assert geometry((200, 400), (100, 400), "cover") == ((50.0, 0.0, 150.0, 400.0), (100, 400))
    assert geometry((400, 200), (300, 300), "cover") == ((50.0, 0.0, 350.0, 200.0), (300, 200))
    assert geometry((400, 200), (50, 100), "contain", turned=True) == ((0.0, 0.0, 400.0, 200.0), (100, 50))


def test_a_browser_gets_the_format_it_likes(api: World, storage: Storage, bucket: str) -> None:
    at = stored(api, bucket, a_picture(40, 20, "PNG"), "image/png")
    answer = rendered(api, at, headers=BROWSER, width=10)
    assert seen(answer) == ("WEBP", (10, 5))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert seen(rendered(api, at, headers={"accept": "image/avif"}, width=10)) == ("AVIF", (10, 5))
    for accept in ("*/*", "image/webp;q=0", "text/html"):
        assert seen(rendered(api, at, headers={"accept": accept}, width=10)) == ("PNG", (10, 5))
    origin = rendered(api, at, headers=BROWSER, width=10, format="origin")
    assert seen(origin) == ("PNG", (10, 5))
    for format in ("webp", "avif", "jpeg", "png"):
        assert seen(rendered(api, at, width=10, format=format)) == (format.upper(), (10, 5))


def test_a_picture_is_put_upright_and_tells_nothing_of_where_it_was_taken(
    api: World, storage: Storage, bucket: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "at home"
    camera = a_picture(400, 200, exif=exif.tobytes(), comment=b"at home")
    assert b"at home" in camera
    at = stored(api, bucket, camera)
    for query, size in (
        ({"width": 100}, (100, 200)),
        ({"width": 100, "height": 100}, (100, 100)),
        ({}, (200, 400)),
    ):
        answer = rendered(api, at, **query)
        assert seen(answer) == ("JPEG", size)
        assert b"at home" not in answer.raw
        assert not Image.open(io.BytesIO(answer.raw)).getexif()


def test_each_kind_of_pixels_becomes_a_picture(api: World, storage: Storage, bucket: str) -> None:
    kinds = [
        ("RGBA", "PNG", (0, 0, 255, 0)), ("P", "PNG", 3), ("1", "PNG", 1), ("I;16", "PNG", 30_000), ("L", "PNG", 9),
        ("CMYK", "JPEG", 3), ("L", "JPEG", 3), ("P", "GIF", 3), ("RGBA", "WEBP", (1, 2, 3, 4)), ("RGB", "AVIF", "red"),
    ]  # fmt: skip
    for mode, format, colour in kinds:
        at = stored(api, bucket, a_picture(40, 20, format, mode=mode, colour=colour))
        assert seen(rendered(api, at, width=10))[0] == format
        flat = rendered(api, at, width=10, format="jpeg")
        assert seen(flat) == ("JPEG", (10, 5))
        if mode == "RGBA" and format == "PNG":  # what was clear is white
            assert Image.open(io.BytesIO(flat.raw)).getpixel((5, 2)) == (255, 255, 255)


def test_a_rendition_is_kept_with_its_picture_and_goes_with_it(
    api: World, storage: Storage, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_RENDITIONS", 3)
    name = f"{uuid4().hex}.jpg"
    at = stored(api, bucket, a_picture(64, 64), name=name)
    with ThreadPoolExecutor(8) as together:
        answers = list(together.map(lambda _: rendered(api, at, width=8), range(8)))
    assert len({answer.headers["etag"] for answer in answers}) == 1
    assert renditions(api) == 1
    first = answers[0]
    same = rendered(api, at, headers={"if-none-match": first.headers["etag"]}, width=8)
    assert same.status == 304
    part = rendered(api, at, headers={"range": "bytes=2-5"}, width=8)
    assert (part.status, part.raw) == (206, first.raw[2:6])
    for width in range(1, 7):
        rendered(api, at, width=width, format="png")
    assert renditions(api) == 3
    stored(api, bucket, a_picture(64, 64, colour="blue"), name=name)
    assert renditions(api) == 0
    assert rendered(api, at, width=8).raw != first.raw
    assert renditions(api) == 1
    api.run(storage.remover.remove(Caller(SYSTEM, "req_2"), bucket, [name]))
    assert renditions(api) == 0
    assert rendered(api, at, width=8).status == 404


def renditions(api: World) -> int:
    """Of pictures that were stored last."""
    query = (
        b"SELECT count(*) FROM storage_blobs WHERE state = 'live' AND rendition_of = ("
        b"SELECT rendition_of FROM storage_blobs WHERE rendition_of IS NOT NULL ORDER BY created_at DESC LIMIT 1)"
    )

    async def ask() -> int:
        async with api.platform.features["storage"].offers.core.database.autocommit() as tx:
            number: int = await tx.value(query)
            return number

    return api.run(ask())


def is_sealed(api: World) -> bool:
    """Whether what was made last is encrypted."""
    query = (
        b"SELECT sealed_key IS NOT NULL FROM storage_blobs WHERE rendition_of IS NOT NULL"
        b" ORDER BY created_at DESC LIMIT 1"
    )

    async def ask() -> bool:
        async with api.platform.features["storage"].offers.core.database.autocommit() as tx:
            return bool(await tx.value(query))

    return api.run(ask())


def test_doors_of_pictures_let_in_whom_doors_of_objects_do(api: World, storage: Storage, bucket: str) -> None:
    hidden = f"hidden-{uuid4().hex[:8]}"
    api.run(storage.buckets.create(Caller(SYSTEM, "req_1"), NewBucket(hidden, encrypted=True)))
    at, shown = (stored(api, each, a_picture(8, 8)) for each in (hidden, bucket))
    asked = f"/storage/v1/object/sign/{at}"
    signed = api("POST", asked, {"expiresIn": 60, "transform": {"width": 4, "format": "png"}}).json[
        "signedURL"
    ]
    assert signed.startswith("/render/image/sign/")
    signed = quote(signed, safe="/?=&")
    assert seen(api("GET", f"/storage/v1{signed}", key="")) == ("PNG", (4, 4))
    assert seen(api("GET", f"/storage/v1{signed}&width=8", key="")) == ("PNG", (4, 4))
    assert is_sealed(api)  # as the picture is
    # Who may have the small one may not have the whole.
    whole = signed.replace("/render/image/sign/", "/object/sign/")
    assert api("GET", f"/storage/v1{whole}", key="").json["code"] == "InvalidSignature"
    token = api("POST", asked, {"expiresIn": 60, "transform": {}}).json["signedURL"].partition("?")[2]
    assert (
        api("GET", f"/storage/v1/render/image/sign/{at}?{token}", key="").json["code"] == "InvalidSignature"
    )
    assert rendered(api, at, PUBLIC).status == 404
    public = api("GET", f"/storage/v1{PUBLIC}/{shown}?width=4&download=%C3%BC.jpg", key="")
    assert seen(public) == ("JPEG", (4, 4))
    assert "%C3%BC.jpg" in public.headers["content-disposition"]
    assert api("GET", f"/storage/v1{PRIVATE}/{at}", key="").status in (401, 404)


def test_what_makes_no_sense_is_said(api: World, storage: Storage, bucket: str) -> None:
    at = stored(api, bucket, a_picture(8, 8))
    for field, value in (
        ("width", "-1"), ("width", "4097"), ("width", "a"), ("height", "1.5"), ("quality", "19"), ("quality", "101"),
        ("resize", "crop"), ("format", "gif"),
    ):  # fmt: skip
        answer = rendered(api, at, **{field: value})
        assert answer.status in (400, 422), (field, value)
        assert field in answer.json["message"], answer.json
    assert rendered(api, f"{bucket}/missing", width=1).json["code"] == "NoSuchKey"


def a_bomb(width: int, height: int, *, decoded: bool = True) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    rows = zlib.compress(b"\0" * (height * ((width + 7) // 8 + 1) if decoded else 9))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_what_means_harm_becomes_no_picture_and_the_next_one_does(
    api: World, storage: Storage, bucket: str
) -> None:
    whole = a_picture(300, 300, "PNG", mode="RGB", colour="red")
    noise = io.BytesIO()
    Image.effect_noise((200, 200), 80).save(noise, "JPEG")
    harmful = [
        (b"", "none of the pictures"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "none of the pictures"),
        (b"<html><script>alert(1)</script>", "none of the pictures"),
        (b"GIF89a", "none of the pictures"),
        (whole[:-300], "damaged"),
        (noise.getvalue()[:3000], "damaged"),
        (a_bomb(60_000, 60_000, decoded=False), "more than 50000000 pixels"),
        (a_bomb(2**31 - 1, 2**31 - 1, decoded=False), "pixels"),
        (a_bomb(7_000, 7_200, decoded=False), "pixels"),
    ]
    for content, reason in harmful:
        answer = rendered(api, stored(api, bucket, content, "image/png"), width=10)
        assert answer.status == 422, (content[:50], answer.raw)
        assert reason in answer.json["message"]
    lying = stored(api, bucket, a_picture(8, 8, "GIF"), "text/html")
    assert seen(rendered(api, lying)) == ("GIF", (8, 8))


def test_a_process_that_takes_too_long_or_dies_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, content = Wanted(width=4).for_client(None), a_picture(8, 8)

    async def pieces(stuck: asyncio.Event | None = None) -> AsyncIterator[bytes]:
        yield content[:10]
        if stuck is not None:
            await stuck.wait()
        yield content[10:]

    async def run() -> None:
        images = ImagePool()
        await images.change("a", pieces(), len(content), wanted)
        [worker] = images._idle
        monkeypatch.setattr(pool, "SECONDS", 0.05)
        with pytest.raises(StorageError, match="more time or memory"):
            await images.change("a", pieces(asyncio.Event()), len(content), wanted)
        assert worker._process.returncode is not None
        monkeypatch.setattr(pool, "SECONDS", 20)
        await images.change("a", pieces(), len(content), wanted)
        [worker] = images._idle
        worker._process.kill()
        with pytest.raises(StorageError, match="more time or memory"):
            await images.change("a", pieces(), len(content), wanted)
        assert (await images.change("a", pieces(), len(content), wanted)).media_type == "image/jpeg"
        monkeypatch.setattr(pool, "IDLE_SECONDS", 0.0)
        await images.change("a", pieces(), len(content), wanted)
        [worker] = images._idle
        await worker._process.wait()

    asyncio.run(run())


def test_a_client_with_many_pictures_does_not_hold_up_another() -> None:
    async def run() -> list[str]:
        turns, order = Turns(1, 5, 60.0), list[str]()

        async def take(client: str) -> None:
            async with turns.of(client):
                order.append(client)
                await asyncio.sleep(0)

        async with turns.of("first"):
            waiting = [asyncio.create_task(take("many")) for _ in range(4)]
            waiting.append(asyncio.create_task(take("one")))
            await asyncio.sleep(0)
            with pytest.raises(TooManyWait):
                await take("many")
            # Nobody keeps out others by coming often.
            waiting.append(asyncio.create_task(take("late")))
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.sleep(0)
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(end) for end in ends if end is not None] == [asyncio.CancelledError, TooManyWait]
        return order

    assert asyncio.run(run()) == ["many", "one", "late", "many"]
