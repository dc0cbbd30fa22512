"""What is given by the name of its place, a variable or the standard input, because it holds a secret."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from ogel import interrupts

PLACE = "VARIABLE|-"
_MOST_CHARACTERS = 8192
# Of a body; servers take less.
_MOST_BYTES = 64 * 1024 * 1024


def prompt_hidden(question: str, **options: Any) -> Any:
    """Asks on the terminal without showing what is typed; after Ctrl-C the terminal shows it again."""
    interrupts.raise_again()
    return click.prompt(question, hide_input=True, err=True, **options)


def read_from(option: str, place: str) -> str:
    """Of a variable, or of the standard input (`-`). Raises UsageError that names the option and no part of it."""
    if place == "-":
        where, value = "the standard input", sys.stdin.read(_MOST_CHARACTERS + 1).rstrip("\r\n")
    elif place in os.environ:
        where, value = f"the variable {place}", os.environ[place]
    else:
        raise click.UsageError(f"{option}: the variable {place!r} is not set")
    if not value:
        raise click.UsageError(f"{option}: {where} is empty")
    if len(value) > _MOST_CHARACTERS:
        raise click.UsageError(f"{option}: {where} holds more than {_MOST_CHARACTERS} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise click.UsageError(f"{option}: {where} holds what is not UTF-8") from None
    return value


def content_of(option: str, given: str) -> bytes:
    """As it is, of a file (`@FILE`), or of the standard input (`-`). Raises UsageError that names the option."""
    if given == "-":
        content = sys.stdin.buffer.read(_MOST_BYTES + 1)
    elif given.startswith("@"):
        try:
            with Path(given[1:]).open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise click.UsageError(f"{option}: {given[1:]!r} cannot be read: {reason}") from None
    else:
        content = given.encode("utf-8", "surrogateescape")
    if len(content) > _MOST_BYTES:
        raise click.UsageError(f"{option}: holds more than {_MOST_BYTES >> 20} MiB")
    return content


def json_of(option: str, given: str | None) -> msgspec.Raw:
    """As content_of, and its text is kept as it is; null where nothing is given. Raises UsageError."""
    if given is None:
        return msgspec.Raw(b"null")
    content = content_of(option, given)
    try:
        msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise click.UsageError(f"{option} is not JSON: {error}") from None
    return msgspec.Raw(content)
