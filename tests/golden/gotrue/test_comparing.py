"""The comparer sees what it should see: a test that compares everything and finds nothing would say nothing."""

from __future__ import annotations

import pytest

from tests.golden.compare import compare
from tests.golden.expectation import ALL, GONE, Difference, Instead, expected, laid_over
from tests.golden.gotrue.compare import compare_headers, compare_mails
from tests.golden.gotrue.transcript import Line
from tests.golden.placeholders import Labels

ID = "0b9c6f6e-9d5f-4d3a-8f6e-2f1f2d3c4b5a"
OTHER = "1b9c6f6e-9d5f-4d3a-8f6e-2f1f2d3c4b5a"


@pytest.fixture
def labels() -> Labels:
    return Labels({})


@pytest.mark.parametrize(
    ("recorded", "came"),
    [
        ({"a": 1}, {"a": 1}),
        ({"id": "<uuid:user1>", "sub": "<uuid:user1>"}, {"id": ID, "sub": ID}),
        ({"at": "<time>"}, {"at": "2026-11-28T22:00:00.5Z"}),
        ({"exp": "<int:exp>"}, {"exp": 5}),
        ({"msg": "Could not parse request body as JSON: EOF"}, {"msg": "another"}),
        ("http://a.example/x?b=2&a=<uuid:code1>#c=3&d=", f"http://a.example/x?a={ID}&b=2#d=&c=3"),
        ("http://a.example/x?to=http://b.example/", "http://a.example/x?to=http%3A%2F%2Fb.example%2F"),
    ],
)
def test_what_is_alike(recorded: object, came: object, labels: Labels) -> None:
    assert compare(recorded, came, labels) == []


@pytest.mark.parametrize(
    ("recorded", "came"),
    [
        ({"a": None}, {}),
        ({}, {"a": None}),
        ({"a": 1}, {"a": True}),
        ({"a": "1"}, {"a": 1}),
        ({"a": [1]}, {"a": [1, 2]}),
        ({"id": "<uuid:user1>", "sub": "<uuid:user1>"}, {"id": ID, "sub": OTHER}),
        ({"id": "<uuid:user1>"}, {"id": "7"}),
        ({"at": "<time>"}, {"at": "2026-11-28T22:00:00+00:00"}),
        ({"exp": "<int:exp>"}, {"exp": "5"}),
        ({"msg": "Invalid login credentials"}, {"msg": "another"}),
        ("http://a.example/x?a=1", "http://a.example/x?a=1&b=2"),
        ("http://a.example/x?a=1", "http://a.example/y?a=1"),
        ("http://a.example/x?a=1", "http://a.example/x#a=1"),
        (None, {}),
        ({}, None),
    ],
)
def test_what_differs(recorded: object, came: object, labels: Labels) -> None:
    assert compare(recorded, came, labels)


def test_labels_hold_from_one_answer_to_the_next(labels: Labels) -> None:
    assert compare("<uuid:user1>", ID, labels) == []
    assert labels.fill({"path": "/users/<uuid:user1>"}) == {"path": f"/users/{ID}"}
    assert compare("<uuid:user1>", OTHER, labels)


def test_headers_that_were_not_recorded_were_not_sent(labels: Labels) -> None:
    assert compare_headers({}, {"x-request-id": "1"}, labels) == []
    assert compare_headers({}, {"location": "/"}, labels)
    assert compare_headers({"Vary": "Origin, A"}, {"vary": "a, origin"}, labels) == []


def test_mails_come_in_any_order(labels: Labels) -> None:
    one, two = {"kind": "a", "to": ["1@example.com"]}, {"kind": "b", "to": ["2@example.com"]}
    assert compare_mails([one, two], [two, one], labels) == []
    assert compare_mails([one, two], [one], labels)
    assert compare_mails([], [one], labels)


def test_differences_are_laid_over_what_was_recorded() -> None:
    recorded = {"status": 500, "body": {"code": 500, "msg": "x", "list": [{"a": 1}, {"a": 2}]}}
    ours = {"status": 400, "body": {"code": GONE, "msg": "y", "list": {"*": {"b": 3}}}}
    laid = laid_over(recorded, ours)
    assert laid == {"status": 400, "body": {"msg": "y", "list": [{"a": 1, "b": 3}, {"a": 2, "b": 3}]}}
    assert laid_over(recorded, {"body": Instead(None)}) == {"status": 500, "body": None}


def test_a_difference_that_is_none_fails() -> None:
    line = Line("one", "confirm", {}, {"status": 200})
    assert expected(line, [Difference("one", {"status": 201}, "why")]) == {"status": 201}
    with pytest.raises(AssertionError):
        expected(line, [Difference("one", {"status": 200}, "why")])
    assert expected(line, [Difference(ALL, {"status": 200}, "why")]) == {"status": 200}
