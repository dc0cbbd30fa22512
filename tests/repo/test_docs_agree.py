"""What people read agrees with what there is: settings, commands, and the words for them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from ogel.cli import COMMANDS, backup, databases, storage, webhooks
from ogel.cli.settings import env_template
from ogel.cli.smoke.parts import ALWAYS, PARTS
from ogel.cli.smoke.problem import EXIT_CODES
from ogel.environ import OF_CLIENTS, knobs

ROOT = Path(__file__).parents[2]
NAMES = {name for knob in knobs().values() for name in knob.names} | OF_CLIENTS
# Read by what stands beside the program: its tests and benchmarks, and railway/railway.py.
BESIDE = ("OGEL_TEST_", "OGEL_BENCH_", "OGEL_RAILWAY_")
# Removed; the changelog says what took their place, and nothing else speaks of them.
GONE = {"OGEL_BACKUP_CRON", "OGEL_CLEANUP_CRON", "OGEL_DATABASE_CHECK_MINUTES"}
# Of the feature that add-a.md adds.
MADE_UP = {"OGEL_NOTE_CHARACTERS"}
# What is no sub-command in ogel/cli.
SHARED = {
    "__init__",
    "banner",
    "client",
    "forwarding",
    "given",
    "in_process",
    "named",
    "numbers",
    "operator",
    "over_http",
    "people",
    "process",
    "profiles",
    "progress",
    "railway_project",
    "sizes",
    "tables",
    "times",
}
READ = [
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "bench/*.md",
        "railway/*",
        "docker-compose.yml",
        "Dockerfile",
        "entrypoints/*",
    )
    for path in ROOT.glob(pattern)
    if path.is_file()
]


def test_env_example_is_what_ogel_settings_writes() -> None:
    assert (ROOT / ".env.example").read_text() == env_template(), "ogel settings --env > .env.example"


@pytest.mark.parametrize("path", READ, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_setting_that_is_mentioned_exists(path: Path) -> None:
    mentioned = set(re.findall(r"\bOGEL_[A-Z0-9]+(?:_[A-Z0-9]+)*\b", path.read_text()))
    unknown = {name for name in mentioned - NAMES if not name.startswith(BESIDE)}
    assert unknown == {"CHANGELOG.md": GONE, "add-a.md": MADE_UP}.get(path.name, set())


def test_every_command_is_a_file_and_every_file_a_command() -> None:
    cli = ROOT / "ogel" / "cli"
    folders = {path.parent.name for path in cli.glob("*/__init__.py")}
    files = {path.stem for path in cli.glob("*.py")} - SHARED
    assert files | folders == {name.replace("-", "_") for name in COMMANDS}
    # A group's own commands are files of its folder.
    groups = {
        "backup": {*backup.COMMANDS, "following"},
        "databases": databases.COMMANDS,
        "mail": {"suppressions"},
        "storage": {*storage.COMMANDS, "copying", "counted", "fetching", "places", "remote", "sending"},
        "webhooks": webhooks.COMMANDS,
    }
    for group, commands in groups.items():
        assert {path.stem for path in (cli / group).glob("*.py")} - {"__init__"} == set(commands)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_list_of_commands_says_what_the_command_says(name: str) -> None:
    command = importlib.import_module(f"ogel.cli.{name.replace('-', '_')}").command
    assert command.name == name
    listed, own = COMMANDS[name].rstrip("."), command.help.splitlines()[0]
    assert own.startswith(listed.split(";")[0].split(",")[0]), f"{listed!r} and {own!r}"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_readme_names_every_command(name: str) -> None:
    assert re.search(rf"\bogel {name}\b", (ROOT / "README.md").read_text())


def test_the_page_of_smoke_has_its_exit_codes_and_the_scopes_of_its_key() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text()
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", page, re.MULTILINE)
    assert {cause: int(code) for code, cause in rows} == EXIT_CODES
    scopes = {*ALWAYS, *(scope for part in PARTS.values() for scope in part)}
    assert set(re.findall(r"--scope (\S+)", page)) == scopes
