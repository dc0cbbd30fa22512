"""The README's tour, every line typed at a terminal of 80 columns, in a checkout with no data yet."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cli import without_settings
from tests.support.markdown import ROOT, blocks
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


def test_the_tour_does_what_it_says(tmp_path: Path, ports: Mapping[str, str]) -> None:
    environment = {**without_settings(os.environ), "PORT": ports["8080"], "MAKEFLAGS": "-o .venv/.installed"}
    [up], receiver, steps, end = _tour()
    with checkout(tmp_path) as at, Terminal(at, environment) as first, Terminal(at, environment) as second:
        first.start(up)
        first.sees(rf"Ogel on http://localhost:{ports['8080']}", 60)
        for typed in receiver:
            typing(second, typed, ports)
        second.sees("listening on")
        answers = {typed: typing(second, typed, ports) for typed in steps}
        second.sees(r"order-1 verified \{")
        second.sees(r'(?s)event: ready.*event: event\ndata: \{"id":"order-1"')
        for typed in end:
            typing(second, typed, ports)
        first.interrupt()
        first.prompt(45)

    for typed, answer in answers.items():
        if typed.startswith(("api local", "api 'local", "curl -s localhost")):
            # The receiver and the listener write to this terminal, too.
            assert any(map(_is_answer, answer.splitlines())), f"{typed}: {answer!r}"


def _is_answer(line: str) -> bool:
    try:
        document = json.loads(line)
    except ValueError:
        return False
    return isinstance(document, dict) and not document.keys() & {"title"}


def _tour() -> list[list[str]]:
    """The commands of each block, from `make up` on."""
    shown = [block.commands for block in blocks(ROOT / "README.md") if block.language == "sh"]
    return shown[shown.index(next(each for each in shown if each[0].startswith("make up"))) :]


def typing(terminal: Terminal, typed: str, ports: Mapping[str, str]) -> str:
    for usual, ours in ports.items():
        typed = re.sub(rf"\b{usual}\b", ours, typed)
    code, shown = terminal.run(typed)
    assert code == 0, f"{typed!r} ended with {code}:\n{shown}"
    return shown
