"""Large bodies: what they may cost, and that they are understood as small ones are."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import Annotated, Any

import msgspec
import pytest

from ogel.kernel.errors import Invalid, Malformed, OgelError, TooLarge
from ogel.runtime.http.access import OPEN
from ogel.runtime.http.bodies import MOST_QUOTES, STEP_BYTES, BodyDecoder
from ogel.runtime.http.route import Items, Route
from tests.support.http import story


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=100, pattern="^[a-z]+$")]
    data: msgspec.Raw = msgspec.Raw(b"null")


Things = Annotated[list[Thing], msgspec.Meta(min_length=1, max_length=500)]
ITEM_BYTES = 300_000
PADDING = " " * STEP_BYTES


async def handler(_: Any) -> None: ...


MANY = BodyDecoder(
    Route("POST", "/x", handler, OPEN, "", body=Thing | Things, items=Items(Thing, 500, ITEM_BYTES))
)
ONE = BodyDecoder(Route("POST", "/x", handler, OPEN, "", body=Thing))


def refused(body: str, decoder: BodyDecoder = MANY) -> OgelError:
    with pytest.raises(OgelError) as caught:
        asyncio.run(decoder.decode(body.encode()))
    return caught.value


def decoded(body: str, decoder: BodyDecoder = MANY) -> Any:
    return asyncio.run(decoder.decode(body.encode()))


@pytest.mark.parametrize("padding", ["", PADDING])
def test_size_changes_nothing_in_what_a_body_means(padding: str) -> None:
    one = '{"name":"x","data":{"a":[1,"\\u00e9"]}}'
    assert decoded(padding + one) == Thing("x", msgspec.Raw(b'{"a":[1,"\\u00e9"]}'))
    things = decoded(f"{padding}[{one},{padding}{one}]")
    assert [bytes(each.data) for each in things] == [b'{"a":[1,"\\u00e9"]}'] * 2
    assert len(decoded(f"{padding}[{','.join([one] * 500)}]")) == 500


@pytest.mark.parametrize("padding", ["", PADDING])
@pytest.mark.parametrize(
    ("body", "kind", "path"),
    [
        ("[]", Invalid, "body"),
        ('[{"name":"x"},{"name":1}]', Invalid, "body[1].name"),
        ('[{"name":"x"},{"name":"x","nome":1}]', Invalid, "body[1].nome"),
        ('[{"name":"x"},{}]', Invalid, "body[1].name"),
        ('[{"name":"x"},1]', Invalid, "body[1]"),
        ('[{"name":"X"}]', Invalid, "body[0].name"),
        ('{"name":"X"}', Invalid, "body.name"),
        ('[{"name":"x"}', Malformed, None),
        ('[{"name":"x"},]', Malformed, None),
        ('[{"name":"x"}]]', Malformed, None),
        ('[{"name":"\\ud800"}]', Malformed, None),
        ('[{"name":"x","data":' + "[" * 9_000, Malformed, None),
        ("[" + '{"name":"x"},' * 500 + '{"name":"x"}]', Invalid, "body"),
        ("7", Invalid, "body"),
    ],
)
def test_size_changes_nothing_in_what_is_wrong_with_a_body(
    body: str, kind: type[OgelError], path: str | None, padding: str
) -> None:
    error = refused(padding + body)
    assert type(error) is kind, error
    assert [each.path for each in error.errors] == ([] if path is None else [path])


def test_an_item_has_a_size_of_its_own() -> None:
    large = json.dumps({"name": "x", "data": "x" * ITEM_BYTES})
    for body in (large, f'[{{"name":"x"}},{large}]'):
        assert isinstance(refused(body), TooLarge)
    fits = json.dumps({"name": "x", "data": "x" * (ITEM_BYTES - 100)})
    assert len(decoded(f"[{','.join([fits] * 20)}]")) == 20


HOSTILE = {
    "keys in data": '{"name":"x","data":{' + ",".join(f'"k{n}":1' for n in range(550_000)) + "}}",
    "keys": "{" + ",".join(f'"k{n}":1' for n in range(550_000)) + "}",
    "a field again and again": "{" + '"name":"x",' * 550_000 + '"name":"x"}',
    "a field again and again, with spaces": "{" + ' "name" : "x" ,' * 400_000 + '"name":"x"}',
    "small items": "[" + '{"name":"x"},' * 460_000 + '{"name":"x"}]',
    "arrays": "[" + "[]," * 2_000_000 + "[]]",
    "depth": "[" * 6_000_000,
    "depth in data": '[{"name":"x","data":' + "[" * 6_000_000,
    "digits": '[{"name":"x","data":' + "9" * 6_000_000 + "}]",
    "escapes": '[{"name":"' + "\\u0041" * 1_000_000 + '"}]',
    "spaces": " " * 6_000_000 + "7",
}


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("decoder", [MANY, ONE], ids=["many", "one"])
def test_six_megabytes_of_any_shape_are_refused_or_read_soon(what: str, decoder: BodyDecoder) -> None:
    """Sooner than a fifth of what it takes to make objects of them all."""
    body = HOSTILE[what].encode()

    async def read() -> float:
        began = time.thread_time()
        with suppress(OgelError):
            await decoder.decode(body)
        return time.thread_time() - began

    assert min(asyncio.run(read()) for _ in range(3)) < 0.060


def test_texts_full_of_quotes_are_no_names() -> None:
    html = '<a href="x">' * 90_000
    assert bytes(decoded(json.dumps({"name": "x", "data": html}), ONE).data) == json.dumps(html).encode()
    assert isinstance(refused('{"data":[' + '"",' * MOST_QUOTES + '""]}', ONE), Malformed)


@story
async def test_others_work_between_the_items_of_a_large_batch() -> None:
    item = json.dumps({"name": "x", "data": "x" * 60_000})
    working = asyncio.create_task(MANY.decode(f"[{','.join([item] * 100)}]".encode()))
    turns = 0
    while not working.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 50
