"""What travels: the frames and fields that clients read, and the cursors with which they come back."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from ogel.features.realtime.own.codec import SSE, WEBSOCKET, Ready
from ogel.features.realtime.own.cursor import Cursors
from ogel.kernel.event import Event
from ogel.runtime.realtime.connections.session import Reason
from ogel.runtime.realtime.message import pack
from ogel.runtime.realtime.publication import Position, Publication, packed, unpacked
from tests.support.frames import TEXT, frames

MOMENT = datetime(2026, 1, 31, 8, 15, 30, 120000, tzinfo=UTC)


def an_event(data: bytes = b'{"b": 1.0, "a": "\\u00e9"}', subject: str | None = "ord_1") -> Publication:
    event = Event("evt_1", "order.paid", data, subject, MOMENT)
    return Publication("$ogel:events", "e1", 7, MOMENT, pack(event), event=event.type)


def a_message(data: bytes = b'{"b": 1.0}', tags: dict[str, str] | None = None) -> Publication:
    return Publication("chat:1", "e1", 7, MOMENT, data, tags)


def websocket(publication: Publication) -> bytes:
    return WEBSOCKET.with_cursor(WEBSOCKET.said(publication), "c1")


def sse_fields(raw: bytes) -> list[tuple[str, str]]:
    """As the HTML standard parses a stream."""
    lines = raw.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(name, value.removeprefix(" ")) for name, _, value in (line.partition(":") for line in lines)]


def text_of(framed: bytes) -> str:
    """Of one whole frame of text."""
    [frame], rest = frames(framed)
    assert (frame.opcode, frame.fin, rest) == (TEXT, True, b"")
    return frame.payload.decode()


def test_the_data_travels_as_its_publisher_wrote_it() -> None:
    assert text_of(websocket(an_event())) == (
        '{"type":"event","event":{"id":"evt_1","type":"order.paid","timestamp":"2026-01-31T08:15:30.120000Z",'
        '"subject":"ord_1","data":{"b": 1.0, "a": "\\u00e9"}},"cursor":"c1"}'
    )
    assert text_of(websocket(a_message())) == (
        '{"type":"message","channel":"chat:1","offset":7,"data":{"b": 1.0},"cursor":"c1"}'
    )
    assert json.loads(text_of(websocket(a_message(tags={"by": "ann"}))))["tags"] == {"by": "ann"}


def test_an_event_without_a_subject_says_null() -> None:
    assert json.loads(text_of(websocket(an_event(subject=None))))["event"]["subject"] is None


def test_sse_carries_json_that_spans_lines() -> None:
    said = SSE.said(an_event(b'{\r\n "a": 1,\n\r "b": "\xe2\x80\xa8"}'))
    fields = sse_fields(SSE.with_cursor(said, "c1"))

    assert fields[:2] == [("id", "c1"), ("event", "event")]
    data = "\n".join(value for name, value in fields if name == "data")
    assert json.loads(data)["data"] == {"a": 1, "b": "\u2028"}
    assert fields[-2:] == [("", ""), ("", "")]  # the empty line that dispatches the event


def test_ready_gap_and_end_name_themselves() -> None:
    ready = Ready(["order.*"], ["chat:1"], recovered=True)
    assert json.loads(text_of(WEBSOCKET.ready(ready, "c1"))) == {
        "type": "ready",
        "events": ["order.*"],
        "channels": ["chat:1"],
        "recovered": True,
        "cursor": "c1",
    }
    assert SSE.ready(Ready(["order.*"]), "c1") == (
        b'retry: 1000\nid: c1\nevent: ready\ndata: {"events":["order.*"]}\n\n'
    )
    assert SSE.ping("c1") == b": ping\nid: c1\n\n"
    assert SSE.gap("chat:1") == b'event: gap\ndata: {"channel":"chat:1"}\n\n'
    assert SSE.farewell(Reason.SLOW).last == b'event: end\ndata: {"reason":"slow"}\n\n'
    assert WEBSOCKET.farewell(Reason.SLOW) == (1013, "slow", b"")


@pytest.mark.parametrize("length", [10, 125, 126, 65_535, 65_536, 200_000])
def test_frames_have_the_shortest_head_that_says_their_length(length: int) -> None:
    data = b'"%b"' % (b"x" * length)
    assert json.loads(text_of(websocket(an_event(data))))["event"]["data"] == "x" * length


def test_a_publication_is_the_same_behind_the_broadcast() -> None:
    for each in (an_event(), a_message(tags={"日": "本"})):
        assert unpacked(packed(each)) == each


@pytest.mark.parametrize("names", [["chat:1"], ["$ogel:events", "日本:部屋", "x" * 255], []])
def test_a_cursor_comes_back_as_it_went(names: list[str]) -> None:
    cursors = Cursors([b"new", b"old"])
    positions = {name: Position("e1", number) for number, name in enumerate(names)}
    assert cursors.read(cursors.written(positions)) == positions
    assert cursors.read(Cursors([b"old"]).written(positions)) == positions


@pytest.mark.parametrize("text", ["", "evt_1", "é", "%", "A" * 100, "A" * 40_000, "null", "1.2.3"])
def test_what_we_have_not_written_is_no_cursor(text: str) -> None:
    assert Cursors([b"new"]).read(text) is None
    assert Cursors([b"new"]).read(Cursors([b"another"]).written({"a": Position("e", 1)})) is None
