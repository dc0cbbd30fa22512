"""Cookies of requests: read as browsers read them, in bounded time."""

from __future__ import annotations

from ogel.runtime.http.cookies import COOKIE_BYTES, Cookie, cookies_of


def read(sent: bytes) -> dict[str, str]:
    return dict(cookies_of({b"cookie": sent}))


def test_what_was_set_comes_back() -> None:
    value = 'a "quoted"; é, \\'
    assert read(Cookie("session", value).header().partition("; ")[0].encode()) == {"session": value}
    assert read(b"a=1; b; =c") == {"a": "1", "": "c"}


def test_more_than_a_header_should_hold_is_not_looked_at() -> None:
    assert read(b"a=" + b"x" * COOKIE_BYTES) == {}
    # Python takes a third of a second of each of these.
    assert read(b'a="' + b"\\" * 8000 + b'"') == {}
