"""Writes letters to files, for development: mail programs open .eml files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from ogel.runtime.delivery.providers import ProviderError
from ogel.runtime.mail.letter import Letter, Receipt

# The newest are kept.
MOST_FILES = 1_000


class OutboxProvider:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def send(self, letter: Letter) -> Receipt:
        try:
            path = await asyncio.to_thread(self._write, letter)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ProviderError(f"outbox: {self._directory} cannot be written to: {reason}") from error
        return Receipt(path.name)

    def _write(self, letter: Letter) -> Path:
        """Writes the file atomically; sending a letter again overwrites its file."""
        from ogel.runtime.mail.mime import mime_bytes  # the email package, for who writes mail only

        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / f"{letter.id}.eml"
        draft = path.with_suffix(".draft")
        # Letters hold links that open accounts.
        with open(draft, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(mime_bytes(letter))
        draft.replace(path)
        self._forget_oldest()
        return path

    def _forget_oldest(self) -> None:
        """Deletes the oldest files; names are ids and sort by time."""
        letters = sorted(self._directory.glob("*.eml"))
        for path in letters[: max(0, len(letters) - MOST_FILES)]:
            path.unlink(missing_ok=True)
