"""Secrets of an embedded suite: made once, kept beside its data, readable by its owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ogel.kernel.errors import ConfigError


def kept_secret(data_dir: Path, name: str) -> str:
    """The secret of that file name in the data directory, made at the first call. Raises ConfigError."""
    path = data_dir / name
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            # Written whole under another name first: a crash in between must not leave half a secret.
            unfinished = path.with_suffix(f".{os.getpid()}")
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32))
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(
            f"cannot keep {path}: {error.strerror}; set OGEL_DATA_DIR to a writable directory"
        ) from None
