"""The files of the way back: one key, whoever comes first, and one line for what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ogel.features.network.moves import undo as module
from ogel.features.network.moves.undo import Change, Undo, UndoFiles, undo_folder
from ogel.kernel.clock import utc_now
from ogel.kernel.errors import ConfigError


def undo(id: str) -> Undo:
    return Undo(id, "p", "shop", "e", "production", utc_now(), [Change("s", "api", "URL", "before", "after")])


def test_two_first_applies_at_once_can_both_be_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both see no key, and make one; what one has sealed must not be lost under the key of the other."""
    made, other = module.secrets.token_hex, [UndoFiles(tmp_path)]

    def token_hex(length: int) -> str:
        if other:  # is as far by now, and comes first
            other.pop().write(undo("undo_1"))
        return made(length)

    monkeypatch.setattr(module.secrets, "token_hex", token_hex)
    UndoFiles(tmp_path).write(undo("undo_2"))
    assert sorted(each.id for each in UndoFiles(tmp_path).of("e")) == ["undo_1", "undo_2"]
    assert {each.name for each in tmp_path.iterdir()} == {"key", "undo_1.undo", "undo_2.undo"}


@pytest.mark.parametrize("key", [b"\xff\xfe", b""])
def test_a_key_that_is_none_is_told_in_one_line(tmp_path: Path, key: bytes) -> None:
    files = UndoFiles(tmp_path)
    files.write(undo("undo_1"))
    (tmp_path / "key").write_bytes(key)
    with pytest.raises(ConfigError, match="cannot be read"):
        files.of("e")


def test_where_nobody_has_a_home_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(module.Path, "home", home)
    assert undo_folder("/state") == Path("/state/ogel/network")
    with pytest.raises(ConfigError, match="XDG_STATE_HOME"):
        undo_folder(None)
