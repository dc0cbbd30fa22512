"""What the command line says about words it does not know, and how shells complete those it knows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import ogel_here
from tests.support.forking import on_path

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("webhoks", "webhooks"),
        ("doctr", "doctor"),
        ("webhooks lst", "list"),
        ("webhooks replya", "replay"),
        ("backup restor", "restore"),
        ("databases chek", "check"),
        ("deliveries lst", "list"),
        ("schedules crate", "create"),
        ("deliveries list --statu failed", "--status"),
        ("webhooks list --limt 3", "--limit"),
        ("webhooks tail --webhok x", "--webhook"),
        ("up --prot 3", "--port"),
        ("help", "--help"),
        ("version", "--version"),
        ("webhooks help", "--help"),
    ],
)
def test_a_mistyped_word_names_the_one_that_was_meant(typed: str, meant: str) -> None:
    finished = ogel_here(*typed.split())
    assert finished.code == 2 and finished.out == ""
    assert re.search(f"Did you mean( one of:)? .*'{meant}'", finished.err), finished.err
    assert finished.err.startswith("Usage: ogel ")


@pytest.fixture
def with_ogel(tmp_path: Path) -> dict[str, str]:
    """An `ogel` on PATH, and nothing of whoever runs the tests."""
    path = f"{on_path()}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8", "TERM": "dumb"}


def completed(shell: str, script: str, environment: dict[str, str]) -> list[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    finished = subprocess.run(
        [shell, *(["-f"] if shell == "zsh" else []), "-c", script],
        env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert finished.stderr == ""
    return finished.stdout.split()


CASES = [
    ("ogel webh", ["webhooks"]),
    ("ogel backup re", ["restore"]),
    ("ogel deliveries ret", ["retry"]),
    ("ogel webhooks list --lim", ["--limit"]),
    ("ogel deliveries list --status f", ["failed"]),
]


@pytest.mark.parametrize(("typed", "words"), CASES)
def test_bash_completes(typed: str, words: list[str], with_ogel: dict[str, str]) -> None:
    script = f"""
source <(ogel completion bash)
COMP_WORDS=({typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_ogel_completion ogel
printf '%s\\n' "${{COMPREPLY[@]}}"
complete -p ogel | grep -q _ogel_completion || echo not registered
"""
    assert completed("bash", script, with_ogel) == words


@pytest.mark.parametrize(("typed", "words"), CASES)
def test_fish_completes(typed: str, words: list[str], with_ogel: dict[str, str]) -> None:
    script = f"ogel completion fish | source; complete -C '{typed}' | string split -f1 \\t"
    assert completed("fish", script, with_ogel) == words


@pytest.mark.parametrize(("typed", "words"), CASES)
def test_zsh_completes(typed: str, words: list[str], with_ogel: dict[str, str]) -> None:
    """Without `compinit` in the reader's .zshrc. What is completed is what the function offers to `compadd`."""
    script = f"""
source <(ogel completion zsh)
(( $+_comps[ogel] )) || echo not registered
compadd() {{ print -rl -- ${{(P)argv[-1]}}; }}
_describe() {{ print -rl -- ${{${{(P)argv[3]}}%%:*}}; }}
words=({typed}); CURRENT=$#words
_ogel_completion
"""
    assert completed("zsh", script, with_ogel) == words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_is_offered(shell: str, with_ogel: dict[str, str]) -> None:
    from ogel.cli import COMMANDS

    place = "" if shell == "fish" else "1"
    asked = {"_OGEL_COMPLETE": f"{shell}_complete", "COMP_WORDS": "ogel ", "COMP_CWORD": place}
    environment = {**with_ogel, **asked}
    finished = subprocess.run(["ogel"], env=environment, capture_output=True, text=True, timeout=60)
    assert set(COMMANDS) <= set(finished.stdout.replace(",", "\n").split())


def test_a_shell_that_is_not_known_is_refused() -> None:
    assert "'bash', 'zsh', 'fish'" in ogel_here("completion", "tcsh").err
