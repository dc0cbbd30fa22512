"""What is wrong with a field, said of the option or the argument that it came from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import click

from ogel.kernel.errors import Invalid, TooLarge

_FIELD = re.compile(r"\b(?:body|path)\.(\w+(?:\.\w+|\[[^\[\]\s]*\])*)")
_LAST_PART = re.compile(r"(\.\w+|\[[^\[\]]*\])\Z")


@contextmanager
def in_options(names: Mapping[str, str]) -> Iterator[None]:
    """
    `names` by field (`url`, `event.data`, `to[1]`); all others are options of the field's own name, and parts of a
    field go with it. Raises UsageError for what the API would refuse by the field.
    """
    try:
        yield
    except (Invalid, TooLarge) as error:
        said = _FIELD.sub(lambda field: _option(field[1], names), error.message)
        raise click.UsageError(said) from None


def _option(field: str, names: Mapping[str, str]) -> str:
    while field not in names and (shorter := _LAST_PART.sub("", field)) != field:
        field = shorter
    return names.get(field, f"--{field.replace('_', '-')}")
