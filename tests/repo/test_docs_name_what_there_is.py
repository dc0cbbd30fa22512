"""Every command that a page shows or mentions exists, with its options; every number is the one that holds."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ogel.cli import cli
from ogel.cli.settings import shown
from ogel.environ import knobs, value_of
from ogel.settings import Settings
from tests.support.markdown import PAGES, ROOT, blocks, spans

# What a block is says whether it is typed (`sh`, `console`), sent, put into a file, or only looked at (`text`).
LANGUAGES = {"sh", "console", "text", "json", "python", "js", "diff", "sql", "toml", "env"}
_NOT_RAILWAYS = re.compile(r"railway (rollback|run)\b|logs\b.* (--follow|-f)\b|scale\b.* --replicas")
_OGEL = re.compile(r"(?:^|[|;(]\s*)(?:\.venv/bin/)?ogel (.*)", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_says_what_it_is(page: Path) -> None:
    assert [f"{each.page}:{each.line}" for each in blocks(page) if each.language not in LANGUAGES] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_ogel_exists(page: Path) -> None:
    assert [wrong for typed in _commands(page) if (wrong := _wrong_with(typed))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_target_of_make_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = [*spans(page), *(typed for block in blocks(page) for typed in block.commands)]
    named = {found[1] for each in shown if (found := re.match(r"make ([a-z-]+)", each))}
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_number_after_a_setting_is_its_default(page: Path) -> None:
    defaults = {knob.name: shown(value_of(Settings(), field), knob.secret) for field, knob in knobs().items()}
    said = re.findall(r"`(OGEL_[A-Z_]+)`(?:,| \()\s*([0-9][0-9_.]*)\b", page.read_text())
    assert [(name, number) for name, number in said if number != defaults[name]] == []


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted(ROOT.glob("docs/*/*.md"))], ids=lambda page: str(page.relative_to(ROOT))
)
def test_no_command_of_railway_is_to_be_typed_that_it_does_not_have(page: Path) -> None:
    """Nor one that looks inside from outside: `run` is on this machine."""
    typed = [
        line
        for line in page.read_text().splitlines()
        if line.startswith(("    railway ", "$ railway ", "railway "))
    ]
    assert [line for line in typed if _NOT_RAILWAYS.search(line)] == []


def _commands(page: Path) -> Iterator[str]:
    for typed in [*spans(page), *(typed for block in blocks(page) for typed in block.commands)]:
        if found := _OGEL.search(typed):
            yield found[1]


def _wrong_with(typed: str) -> str | None:
    words = shlex.split(typed, comments=True)
    command: click.Command = cli
    context = click.Context(cli, info_name="ogel")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        # `list|show` stands for both.
        found = {name: command.get_command(context, name) for name in words.pop(0).split("|")}
        if missing := [name for name, each in found.items() if each is None]:
            return f"ogel {typed}: no {' or '.join(missing)}"
        context = click.Context(command, parent=context)
        command = next(each for each in found.values() if each)
    known = {option for parameter in command.get_params(context) for option in parameter.opts}
    unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
    return f"ogel {typed}: no {' or '.join(unknown)}" if unknown else None
