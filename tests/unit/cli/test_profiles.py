"""Where the CLI's profiles are kept, what their addresses and keys may be, and which suite a command speaks to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ogel.cli import profiles
from ogel.cli.client import chosen
from ogel.cli.profiles import Profiles, Remote, clean_key, clean_url
from ogel.kernel.errors import ConfigError

HERE, THERE = Remote("http://localhost:8080", "ogel_here"), Remote("https://there.example", "ogel_there")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("OGEL_URL", "OGEL_KEY", "OGEL_PROFILE", "DATABASE_URL", "POSTGRES_HOST", "PGHOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_they_are_for_nobody_else(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert profiles.load() == Profiles()
    profiles.save(Profiles("here", {"here": HERE, "there": THERE}))
    [file] = (home / "ogel").iterdir()
    assert file.name == "profiles.json"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert profiles.load() == Profiles("here", {"here": HERE, "there": THERE})
    assert capsys.readouterr().err == ""
    if os.name == "posix":
        file.chmod(0o644)
        assert profiles.in_use() == HERE
        assert "chmod 600" in capsys.readouterr().err
    file.write_text("[]")
    with pytest.raises(ConfigError, match="is no file of `ogel login`"):
        profiles.load()


def test_a_directory_that_cannot_be_written_is_one_line(home: Path) -> None:
    (home / "ogel").write_text("a file")
    with pytest.raises(ConfigError, match=r"profiles.json cannot be (read|written)"):
        profiles.save(Profiles())


def test_which_suite_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen() is None
    profiles.save(Profiles("here", {"here": HERE, "there": THERE}))
    assert chosen() == HERE
    assert chosen("there") == THERE
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/d")
    assert chosen() is None
    monkeypatch.setenv("OGEL_URL", "https://ogel.example/")
    with pytest.raises(ConfigError, match="OGEL_URL is set, which needs OGEL_KEY too"):
        chosen()
    monkeypatch.setenv("OGEL_KEY", " ogel_x\n")
    assert chosen() == Remote("https://ogel.example", "ogel_x")
    monkeypatch.setenv("OGEL_PROFILE", "there")
    assert chosen() == THERE
    assert chosen("here") == HERE
    with pytest.raises(ConfigError, match="no profile 'their'; there are here, there; `ogel login"):
        chosen("their")


@pytest.mark.parametrize(
    ("pasted", "url"),
    [
        ("https://ogel.example.com", "https://ogel.example.com"),
        (" HTTPS://Ogel.Example.com:8443/ ", "https://ogel.example.com:8443"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://example.com/tools/ogel/", "https://example.com/tools/ogel"),
        ("http://ogel.railway.internal:8080", "http://ogel.railway.internal:8080"),
    ],
)
def test_addresses_as_they_are_pasted(pasted: str, url: str) -> None:
    assert clean_url(pasted, "URL") == url


@pytest.mark.parametrize(
    "pasted",
    [
        "ogel.example.com", "localhost:8080", "postgresql://u:hunter2@h/d", "https://", "http://h:99999", "http://[::1",
        "https://user:hunter2@ogel.example", "https://ogel.example/?key=hunter2", "https://ogel.example/#x",
        "https://bücher.example", "https://a b.example", "file:///etc/passwd", "https://h\r\nx: y",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_not_shown(pasted: str) -> None:
    with pytest.raises(ConfigError) as caught:
        clean_url(pasted, "OGEL_URL")
    assert caught.value.message.startswith("OGEL_URL ")
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize("key", ["", "  ", "käse", "a b", "a\nb", "x" * 1025, "\udcff"])
def test_what_is_no_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        clean_key(key, "OGEL_KEY")
    assert caught.value.message == "OGEL_KEY holds no key: those are 1 to 1024 visible ASCII characters"
