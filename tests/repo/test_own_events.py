"""The types of Ogel's own events: declared by who publishes them, and shown where users read of them."""

from __future__ import annotations

import re
from pathlib import Path

from ogel.kernel.event import TYPE_PATTERN
from ogel.platform.platform import Platform
from ogel.settings import NOWHERE

ROOT = Path(__file__).parents[2]
FEATURES = ROOT / "ogel" / "features"
# Makes an event of what a user wrote, or reads one that was published before.
NOT_OURS = {
    "events/service.py",
    "realtime/store.py",
    "webhooks/replays/walk.py",
    "webhooks/sending/store.py",
}


def test_the_docs_list_what_features_declare() -> None:
    declared = {
        type: when for feature in Platform(NOWHERE).features.all() for type, when in feature.events.items()
    }
    table = (ROOT / "docs" / "events.md").read_text().partition("## Ogel's own")[2]
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", table, re.MULTILINE)
    assert rows == sorted(declared.items())
    assert all(re.search(TYPE_PATTERN, type) for type in declared)


def test_a_type_is_declared_once() -> None:
    types = [type.casefold() for feature in Platform(NOWHERE).features.all() for type in feature.events]
    assert len(types) == len(set(types))


def test_whoever_publishes_declares() -> None:
    """By its own constants, so that what it publishes and what it declares cannot part."""
    declared = {type for feature in Platform(NOWHERE).features.all() for type in feature.events}
    for path in sorted(FEATURES.rglob("*.py")):
        source = path.read_text()
        if re.search(r"(?<!\.)\bEvent\(", source) and str(path.relative_to(FEATURES)) not in NOT_OURS:
            constants = set(re.findall(r'"([a-z]+(?:\.[a-z_]+)+)"', source))
            assert constants & declared, path
