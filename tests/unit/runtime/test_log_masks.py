"""The log's last line of defence: passwords in URLs, whatever they hold."""

from __future__ import annotations

import io
import json
import time

import pytest
import structlog

from ogel.runtime.log.setup import configure_logging


def logged(value: str) -> str:
    stream = io.StringIO()
    configure_logging("info", stream)
    try:
        structlog.get_logger("masks").info("trial", where=value)
    finally:
        configure_logging("info")
    [line] = stream.getvalue().splitlines()
    return str(json.loads(line)["where"])


@pytest.mark.parametrize("password", ["hunter2", "hun@ter2", "hun/t@er2", "hunter2:hunter2", "h#u@n?ter2"])
def test_no_part_of_a_password_is_logged(password: str) -> None:
    url = f"postgresql://user:{password}@db.example:5432/d"
    said = logged(f"cannot connect to {url}, it says")
    assert said == "cannot connect to postgresql://user:***@db.example:5432/d, it says"


@pytest.mark.parametrize(
    ("said", "masked"),
    [
        ("token=hunter2", "token=***"),
        ("/path?api_key=hunter2&page=2", "/path?api_key=***&page=2"),
        ("Bearer hunter2hunter2", "Bearer ***"),
        ("basic\thunter2hunter2==", "basic\t***"),
        ("got\nBEARER\u00a0hunter2hunter2", "got\nBEARER\u00a0***"),
        ("bearer", "bearer"),
        ("'redis://:hunter2@h' <mongodb://u:hunter2@h>", "'redis://:***@h' <mongodb://u:***@h>"),
        ("http://h/a:b and ann@h.example", "http://h/a:b and ann@h.example"),
        ("/api/events/evt_01JDXK3V9Z6T0Q8W2Y4R6M8N0P", "/api/events/evt_01JDXK3V9Z6T0Q8W2Y4R6M8N0P"),
    ],
)
def test_what_is_named_a_secret_is_masked_after_any_space(said: str, masked: str) -> None:
    assert logged(said) == masked


def test_names_are_secret_however_long_they_are() -> None:
    stream = io.StringIO()
    configure_logging("info", stream)
    try:
        names = {
            "password": "hunter2",
            "x" * 100 + "_token": "hunter2",
            "X_API_KEY": "hunter2",
            "type": "seen",
        }
        structlog.get_logger("masks").info("trial", deep=names, **names)
    finally:
        configure_logging("info")
    assert "hunter2" not in stream.getvalue() and stream.getvalue().count("seen") == 2


def test_a_text_made_for_it_costs_no_more_than_its_length() -> None:
    """100 KB of beginnings of URLs held the event loop for half a minute."""
    began = time.process_time()
    for text in ("://a:" * 20_000, "://" * 30_000, "://a:b@" * 20_000, "bearer " * 20_000, "token=" * 20_000):
        logged(text)
    assert time.process_time() - began < 5.0
