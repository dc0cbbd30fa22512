"""Wrong input is named by field, and nothing a client sends is our fault."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from ogel.kernel.errors import Invalid, Malformed
from ogel.runtime.http.input import Pairs, decode_body, decode_form, decode_query
from ogel.runtime.http.pagination import PageQuery


class Part(msgspec.Struct, forbid_unknown_fields=True):
    size: int


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    url: Annotated[str, msgspec.Meta(max_length=20)]
    parts: list[Part] = []
    sizes: dict[Annotated[str, msgspec.Meta(min_length=2)], int] = {}
    data: Any = None


def decode(body: bytes, kind: Any = Thing) -> Any:
    return decode_body(msgspec.json.Decoder(kind), body)


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        (b'{"url":5}', "body.url", "Expected `str`, got `int`"),
        (b"{}", "body.url", "is required"),
        (b'{"url":"x","colour":1}', "body.colour", "is not a known field"),
        (b'{"url":"x","parts":[{"size":1},{}]}', "body.parts[1].size", "is required"),
        (b'{"url":"x","parts":[{"size":1,"a":2}]}', "body.parts[0].a", "is not a known field"),
        (b'{"url":"x","sizes":{"abc":"y"}}', "body.sizes[...]", "Expected `int`, got `str`"),
        (b'{"url":"x","sizes":{"a":1}}', "body.sizes", "Expected `str` of length >= 2"),
        (b"[]", "body", "Expected `object`, got `array`"),
        (b'{"url":"' + b"x" * 21 + b'"}', "body.url", "Expected `str` of length <= 20"),
        (b'{"url":"x","data":1e999}', "body.data", "Number out of range"),
        (b'{"url":"x","data":' + b"9" * 5000 + b"}", "body.data", "Integer value out of range"),
        (b'{"url":"x","a\\nb` - at `q":1}', "body.a\nb` - at `q", "is not a known field"),
    ],
)
def test_a_wrong_field_is_named(body: bytes, path: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode(body)
    assert [(error.path, error.message) for error in caught.value.errors] == [(path, message)]


def test_a_wrong_field_in_a_list_body_has_its_index() -> None:
    with pytest.raises(Invalid) as caught:
        decode(b'[{"url":"x"},{"url":1}]', list[Thing])
    assert caught.value.errors[0].path == "body[1].url"


def test_an_enormous_field_name_is_not_echoed_whole() -> None:
    with pytest.raises(Invalid) as caught:
        decode(b'{"url":"x","' + b"k" * 100_000 + b'":1}')
    assert len(caught.value.errors[0].path) < 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"url":"\xff"}',
        b'{"url":"\xed\xa0\x80"}',
        b'{"url":"\\ud800"}',
        b'{"url":"\\ud800\\u0041"}',
        b'{"url":"x","data":NaN}',
        b"\xef\xbb\xbf{}",
        b'{"url":"x","data":' + b"[" * 200_000,
    ],
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode(body)


class Filter(PageQuery, frozen=True, kw_only=True):
    status: str | None = None
    dry_run: bool = False


def test_query_parameters_become_typed_fields() -> None:
    wanted = decode_query(Filter, b"limit=7&status=a%20b+c&dry_run=true")
    assert wanted == Filter(limit=7, status="a b c", dry_run=True)
    assert decode_query(Filter, b"") == Filter()


@pytest.mark.parametrize(
    ("query", "path"),
    [
        (b"limit=0", "query.limit"),
        (b"limit=many", "query.limit"),
        (b"limit=", "query.limit"),
        (b"x=1", "query.x"),
        (b"limit=1&limit=2", "query.limit"),
        (b"dry_run=perhaps", "query.dry_run"),
        (b"after=" + b"a" * 600, "query.after"),
    ],
)
def test_a_wrong_parameter_is_named(query: bytes, path: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_query(Filter, query)
    assert caught.value.errors[0].path == path


def test_a_route_without_parameters_takes_none() -> None:
    assert decode_query(None, b"") is None
    with pytest.raises(Invalid) as caught:
        decode_query(None, b"x=1")
    assert caught.value.errors[0].path == "query.x"


def test_too_many_parameters_are_malformed() -> None:
    with pytest.raises(Malformed):
        decode_query(Filter, b"&".join(b"p%d=1" % n for n in range(60)))


def test_a_parameter_that_somebody_else_reads_is_in_no_pairs() -> None:
    query = b"a=1&key=secret&a=2&k%65y=secret"
    assert decode_query(Pairs, query, besides=["key"]) == [("a", "1"), ("a", "2")]


def test_what_a_form_does_not_escape_is_utf8() -> None:
    assert decode_form(Pairs, "name=é&b=%C3%A9+1".encode()) == [("name", "é"), ("b", "é 1")]
    with pytest.raises(Malformed, match="UTF-8"):
        decode_form(Pairs, b"name=\xe9")
