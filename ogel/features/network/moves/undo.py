"""The way back: what variables were before they were written, sealed in files of this machine's user."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from ogel.kernel.errors import ConfigError
from ogel.runtime.secrets.vault import Unsealable, Vault

_PURPOSE = "network undo"
_SUFFIX = ".undo"
_KEY = "key"
_KEY_LENGTH = 32


class Change(Struct, frozen=True):
    """One variable; `owner` None: it is shared. Values are as they are written. `pair`: see Move."""

    owner: str | None
    service: str
    name: str
    before: str
    after: str
    pair: str | None = None

    @property
    def full_name(self) -> str:
        return f"{self.service}.{self.name}"

    def __repr__(self) -> str:
        return f"Change({self.full_name})"


class Undo(Struct, frozen=True):
    """
    What one `apply` set out to do. It exists before anything is written, and until all of it is taken back.
    """

    id: str
    project_id: str
    project: str
    environment_id: str
    environment: str
    at: datetime
    changes: Sequence[Change]


class UndoFiles:
    """
    Only their owner may read folder and files. The key stands beside them, not in OGEL_SECRET: the way back must not
    depend on a variable that is there one day, under `railway run`, and not the next.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, undo: Undo) -> Path:
        """On the disk when it returns, whatever happens then. One of the same id is replaced. Raises ConfigError."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"{undo.id}{_SUFFIX}"
            _write(path, self._vault().seal(msgspec.json.encode(undo), _PURPOSE))
        except OSError as error:
            raise ConfigError(f"the way back cannot be kept in {self._folder}: {error.strerror}") from error
        return path

    def forget(self, undo: Undo) -> None:
        with suppress(FileNotFoundError):
            (self._folder / f"{undo.id}{_SUFFIX}").unlink()

    def of(self, environment_id: str) -> Sequence[Undo]:
        """Newest first. Raises ConfigError when there is none, and one that cannot be read: it may be of this one."""
        found: list[Undo] = []
        unreadable: list[ConfigError] = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            try:
                found.append(self._read(path))
            except ConfigError as error:
                unreadable.append(error)
        mine = [each for each in found if each.environment_id == environment_id]
        if unreadable and not mine:
            raise unreadable[0]
        return sorted(mine, key=lambda each: (each.at, each.id), reverse=True)

    def _read(self, path: Path) -> Undo:
        try:
            plain = self._vault().open(path.read_bytes(), _PURPOSE)
            return msgspec.json.decode(plain, type=Undo)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        except (Unsealable, msgspec.DecodeError) as error:
            why = f"it was sealed under another key than {self._folder / _KEY}, or changed since"
            raise ConfigError(f"{path} cannot be read: {why}") from error

    def _vault(self) -> Vault:
        path = self._folder / _KEY
        if not path.exists():
            _write(path, secrets.token_hex(_KEY_LENGTH).encode(), replaces=False)
        try:
            return Vault(path.read_text("ascii"))
        except UnicodeDecodeError:
            raise ConfigError(
                f"{path} cannot be read: it is no key, and what it has sealed needs it"
            ) from None


def undo_folder(state_home: str | None) -> Path:
    """In XDG_STATE_HOME, where that is set to a whole path. Raises ConfigError."""
    home = Path(state_home) if state_home else None
    if home is None or not home.is_absolute():
        try:
            home = Path.home() / ".local" / "state"
        except RuntimeError:
            raise ConfigError("this user has no home to keep the way back in: set XDG_STATE_HOME") from None
    return home / "ogel" / "network"


def _write(path: Path, content: bytes, *, replaces: bool = True) -> None:
    """
    Whole or not at all, for this user only. What there is stays unless it `replaces` that, also if it came this moment.
    """
    beside = path.with_suffix(f".{os.getpid()}.new")
    with suppress(FileNotFoundError):
        beside.unlink()
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replaces:
            beside.rename(path)
        else:
            with suppress(FileExistsError):
                path.hardlink_to(beside)
            beside.unlink()
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
