"""Numbers as options take them."""

from __future__ import annotations

import math
from typing import Any

import click


class RealRange(click.FloatRange):
    """Without `nan`, which is neither below a range nor above it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number
