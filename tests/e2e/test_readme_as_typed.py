"""The README's tour, every line typed at a terminal of 80 columns, in a checkout with no data yet."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cli import without_settings
from tests.support.markdown import ROOT, Block, blocks
from tests.support.process import free_port
from tests.support.terminal import Terminal


@contextmanager
def checkout(directory: Path) -> Iterator[Path]:
    """What a clone and `make setup` leave: everything but data."""
    for entry in ROOT.iterdir():
        if entry.name not in (".git", ".venv", ".ogel"):
            (directory / entry.name).symlink_to(entry)
    (directory / ".venv").symlink_to(sys.prefix)
    yield directory


@pytest.fixture
def ports() -> Mapping[str, str]:
    """Whose places others of this machine have: `localhost:8080` and the receiver's are somewhere else for us."""
    return {"8080": str(free_port()), "9000": str(free_port())}


def tour() -> tuple[Block, Block]:
    first, second = (
        each
        for each in blocks(ROOT / "README.md")
        if "admin_key" in each.text or each.text.startswith("make up")
    )
    return first, second


def test_the_tour_does_what_it_says(tmp_path: Path, ports: Mapping[str, str]) -> None:
    environment = {**without_settings(os.environ), "PORT": ports["8080"], "MAKEFLAGS": "-o .venv/.installed"}
    up, steps = tour()
    with checkout(tmp_path) as at, Terminal(at, environment) as first, Terminal(at, environment) as second:
        first.start(up.commands[0])
        first.sees(rf"http://localhost:{ports['8080']}", 60)
        answers = {typed: typing(second, typed, ports) for typed in steps.commands}
        second.sees(r"order-1 verified \{")  # the receiver
        second.sees(r'(?s)event: ready.*data: \{.*"id":"order-1"')  # the listener
        first.interrupt()
        assert first.run("true", 45)[0] == 0  # the prompt is back

    said = {re.sub(r"\s+", " ", typed)[:60]: answer for typed, answer in answers.items()}
    print(said)


def typing(terminal: Terminal, typed: str, ports: Mapping[str, str]) -> str:
    for usual, ours in ports.items():
        typed = re.sub(rf"\b{usual}\b", ours, typed)
    code, shown = terminal.run(typed)
    assert code == 0, f"{typed!r} ended with {code}:\n{shown}"
    return shown
