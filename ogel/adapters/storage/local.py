"""Files in a directory of this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ogel.kernel.errors import Unavailable


def check_writable(directory: Path) -> None:
    """Makes the directory if needed and writes a file that is gone again. Raises Unavailable."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"ogel")
            file.flush()
    except OSError as error:
        raise Unavailable(f"{directory} cannot be written to: {error.strerror or error}") from error
