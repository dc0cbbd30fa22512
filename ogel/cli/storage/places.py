"""What `cp`, `ls` and `rm` are given: files of this machine, and `BUCKET:NAME`, as scp has it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import click

# The standard input or output.
STREAM = "-"


class Place(NamedTuple):
    """An object, or the beginning of the names of many: `name` may be empty, or end in a slash."""

    bucket: str
    name: str

    def __str__(self) -> str:
        return f"{self.bucket}:{self.name}"

    def below(self, name: str) -> Place:
        """Behind it as in a folder."""
        slash = "/" if self.name and not self.name.endswith("/") else ""
        return Place(self.bucket, f"{self.name}{slash}{name}")


def place_of(text: str) -> Place | Path:
    """A colon before any slash makes it a place in a bucket; `./a:b` is a file."""
    bucket, colon, name = text.partition(":")
    return Place(bucket, name) if colon and bucket and "/" not in bucket else Path(text)


def place(text: str) -> Place:
    """The type of arguments that take nothing else. Raises BadParameter."""
    found = place_of(text)
    if isinstance(found, Path):
        raise click.BadParameter(f"{text!r} is not BUCKET:NAME")
    return found
