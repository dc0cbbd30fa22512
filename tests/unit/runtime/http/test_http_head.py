"""Heads of requests that are made to take long. What is a good one, the corpus at the door says."""

from __future__ import annotations

import time

import pytest

from ogel.runtime.http.head import MAX_HEAD_BYTES, Refused, end_of_head, read_head

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
ROOM = MAX_HEAD_BYTES - len(GET) - 100
HARD: dict[str, bytes] = {
    "a name without its colon": GET + b"a" * ROOM,
    "a value with a control character at its end": GET + b"a:" + b"b" * ROOM + b"\x01",
    "fields in a value": GET + b"a:" * (ROOM // 2) + b"\x01",
    "blanks in a value": GET + b"a:" + b" " * ROOM + b"\x01",
    "a hundred names": GET + (b"a" * (ROOM // 100 - 2) + b"\r\n") * 98 + b"b",
    "a host": b"GET / HTTP/1.1\r\nHost: " + b"a" * ROOM + b"@",
    "a target": b"GET " + b"a" * ROOM + b"\r\nHost: x",
    "a method": b"G" * ROOM + b"\r\nHost: x",
    "codings": GET + b"Transfer-Encoding: " + b"," * ROOM,
}


@pytest.mark.parametrize("name", HARD)
def test_no_head_takes_longer_to_refuse_than_it_is_long(name: str) -> None:
    data = HARD[name] + b"\r\n\r\n"
    end = end_of_head(data, 0)
    assert end == len(data)
    began = time.process_time()
    with pytest.raises(Refused):
        read_head(data, 0, end)
    assert (
        time.process_time() - began < 0.25
    )  # a thousandth of that, in truth; seconds, if it grew by squares
