"""What is given by the name of its place, a variable or the standard input, because it holds a secret."""

from __future__ import annotations

import os
import sys

import click

PLACE = "VARIABLE|-"
_MOST_CHARACTERS = 8192


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
