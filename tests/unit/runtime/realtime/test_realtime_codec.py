"""What travels: the message between processes, and the frames and fields that clients read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest

from ogel.features.realtime.own import codec
from ogel.kernel.event import Event
from ogel.runtime.realtime.connections.session import Reason
from ogel.runtime.realtime.message import Message, pack
from tests.support.frames import TEXT, frames

MOMENT = datetime(2026, 1, 31, 8, 15, 30, 120000, tzinfo=UTC)


def a_message(data: bytes = b'{"b": 1.0, "a": "\\u00e9"}', subject: str | None = "ord_1") -> Message:
    return Message(pack(Event("evt_1", "order.paid", data, subject, MOMENT)))


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
    text = text_of(codec.websocket_event(a_message()))

    assert text == (
        '{"type":"event","event":{"id":"evt_1","type":"order.paid","timestamp":"2026-01-31T08:15:30.120000Z",'
        '"subject":"ord_1","data":{"b": 1.0, "a": "\\u00e9"}}}'
    )


def test_an_event_without_a_subject_says_null() -> None:
    assert json.loads(text_of(codec.websocket_event(a_message(subject=None))))["event"]["subject"] is None


def test_sse_carries_json_that_spans_lines() -> None:
    fields = sse_fields(codec.sse_event(a_message(b'{\r\n "a": 1,\n\r "b": "\xe2\x80\xa8"}')))

    assert fields[:2] == [("id", "evt_1"), ("event", "event")]
    data = "\n".join(value for name, value in fields if name == "data")
    assert json.loads(data)["data"] == {"a": 1, "b": "\u2028"}
    assert fields[-2:] == [("", ""), ("", "")]  # the empty line that dispatches the event


def test_ready_and_end_name_themselves() -> None:
    assert json.loads(text_of(codec.websocket_ready(("order.*",)))) == {
        "type": "ready",
        "events": ["order.*"],
    }
    assert codec.sse_ready(("order.*",)) == b'retry: 1000\nevent: ready\ndata: {"events":["order.*"]}\n\n'
    assert codec.sse_farewell(Reason.SLOW).last == b'event: end\ndata: {"reason":"slow"}\n\n'
    assert codec.websocket_farewell(Reason.SLOW) == (1013, "slow", b"")


@pytest.mark.parametrize("length", [10, 125, 126, 65_535, 65_536, 200_000])
def test_frames_have_the_shortest_head_that_says_their_length(length: int) -> None:
    data = b'"%b"' % (b"x" * length)
    assert json.loads(text_of(codec.websocket_event(a_message(data))))["event"]["data"] == "x" * length


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not json",
        b"{}",
        b"\xff",
        b'{"id":"evt_1","type":"a","timestamp":"","subject":null,"data":"\xff"}',
        b'{"id":"evt 1","type":"a","timestamp":"","subject":null,"data":{}}',
        b'{"id":"evt_1","type":"a\\nb","timestamp":"","subject":null,"data":{}}',
    ],
)
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        Message(payload)
