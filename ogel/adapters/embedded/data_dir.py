"""The directory that embedded servers live in: one ogel at a time, readable by its user only."""

from __future__ import annotations

import os
import re
import secrets
from functools import cached_property
from pathlib import Path

from ogel.kernel.errors import ConfigError

_LOG_LIMIT_BYTES = 10 * 1024 * 1024


class DataDir:
    """`marker` names this very directory (not its copies) in the command lines of the servers that use it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    @cached_property
    def marker(self) -> str:
        entry = self.path.stat()
        return f"ogel-{entry.st_dev:x}-{entry.st_ino:x}"

    def lock(self) -> None:
        """Makes the directory if needed; keeps other ogels out until `unlock` or the end of this process."""
        import fcntl

        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path / "ogel.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise ConfigError(
                f"OGEL_DATA_DIR={self.path} is in use by ogel process {holder}: stop it, or set another one."
            ) from None
        self._lock = lock
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        # A forked child that does not exec (RQ's work-horse) would otherwise hold the lock when we are dead.
        os.register_at_fork(after_in_child=self.unlock)

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def read(self, name: str) -> str | None:
        try:
            return (self.path / name).read_text()
        except FileNotFoundError:
            return None

    def write(self, name: str, text: str) -> Path:
        """Writes a file atomically, also across a power failure; readable by our user only."""
        target, draft = self.path / name, self.path / f"{name}.new"
        draft.unlink(missing_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        return target

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def secret(self, name: str) -> str:
        """The password stored under this name; made on first use, safe inside a URL."""
        stored = (self.read(name) or "").strip()
        if re.fullmatch(r"[0-9a-f]{48}", stored):
            return stored
        made = secrets.token_hex(24)
        self.write(name, made + "\n")
        return made

    def open_log(self, name: str) -> tuple[Path, int]:
        """A file to append to (the caller closes it); one older file is kept once it has grown past 10 MB."""
        path = self.path / name
        if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
            path.replace(path.with_name(f"{name}.1"))
        return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
