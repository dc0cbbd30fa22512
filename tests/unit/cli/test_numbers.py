"""Numbers as options take them."""

from __future__ import annotations

import click
import pytest

from ogel.cli.numbers import RealRange
from ogel.cli.smoke import command as smoke
from tests.support.cli import ogel_here


@pytest.mark.parametrize("command", ["consolidate --days", "keys create x --days"])
@pytest.mark.parametrize("number", ["nan", "-NaN"])
def test_what_is_no_number_is_said_to_be_none(command: str, number: str) -> None:
    *words, option = command.split()
    said = ogel_here(*words, f"{option}={number}")
    assert said.code == 2 and f"Invalid value for '{option}'" in said.err and "is no number" in said.err


def test_the_time_of_a_smoke_test_is_a_number() -> None:
    """Not tried: where it is none, the process that asks ends at once."""
    numbers = [each.type for each in smoke.params if isinstance(each.type, click.FloatRange)]
    assert len(numbers) == 2 and all(isinstance(each, RealRange) for each in numbers)
