"""Every command that a judgement says exists, with its options."""

from __future__ import annotations

import inspect
import re
import shlex
from types import ModuleType

import click
import pytest

from ogel.cli import cli
from ogel.features.consolidation.judgement import (
    gotrue,
    kong,
    minio,
    mongodb,
    postgres_meta,
    realtime,
    verdict,
)
from tests.support.railway_cli import FORMS

_LITERAL = re.compile(r"""f?(["'])((?:railway|ogel) (?:\\.|(?!\1).)*)\1""")


@pytest.mark.parametrize("module", [gotrue, kong, minio, mongodb, postgres_meta, realtime, verdict])
def test_every_command_exists(module: ModuleType) -> None:
    found = [each[2] for each in _LITERAL.finditer(inspect.getsource(module))]
    said = [each.encode().decode("unicode_escape") for each in found if each.isascii() or "…" in each]
    commands = [each for each in said if not each.endswith(" ")]
    assert commands
    for command in commands:
        words = shlex.split(re.sub(r"\{[^{}]*\}", "X", command), comments=True)
        if words[0] == "ogel":
            _check_ogel(words[1:])
        else:
            _check_railway(words[1:])


def _check_railway(words: list[str]) -> None:
    words = words[: words.index("--")] if "--" in words else words
    name = " ".join(words[:2]) if " ".join(words[:2]) in FORMS else words[0]
    assert {each for each in words if each.startswith("--")} <= FORMS[name].keys(), words


def _check_ogel(words: list[str]) -> None:
    command: click.Command = cli
    context = click.Context(cli, info_name="ogel")
    while isinstance(command, click.Group):
        named = command.get_command(context, words[0])
        assert named is not None, words
        command, words = named, words[1:]
    known = {option for each in command.params for option in each.opts}
    assert {each for each in words if each.startswith("--")} <= known, words
