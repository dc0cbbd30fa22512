"""The log's last line of defence: passwords in URLs, whatever they hold."""

from __future__ import annotations

import io
import json

import pytest
import structlog

from ogel.runtime.logging import configure_logging


@pytest.mark.parametrize("password", ["hunter2", "hun@ter2", "hun/t@er2", "hunter2:hunter2", "h#u@n?ter2"])
def test_no_part_of_a_password_is_logged(password: str) -> None:
    stream = io.StringIO()
    configure_logging("info", stream)
    try:
        url = f"postgresql://user:{password}@db.example:5432/d"
        structlog.get_logger("masks").info("trial", where=f"cannot connect to {url}, it says")
    finally:
        configure_logging("info")
    [line] = stream.getvalue().splitlines()
    assert json.loads(line)["where"] == "cannot connect to postgresql://user:***@db.example:5432/d, it says"
