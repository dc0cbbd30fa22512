"""Numbers as people write them."""

from __future__ import annotations

import pytest

from ogel.kernel.quantities import quantity


@pytest.mark.parametrize(
    ("number", "unit", "written"),
    [
        (432_000, "seconds", "5 days"),
        (86_400, "seconds", "1 day"),
        (90, "seconds", "90 s"),
        (7200, "seconds", "2 h"),
        (0.05, "seconds", "0.05 s"),
        (0, "seconds", "0 s"),
        (36_500, "days", "36,500 days"),
        (1, "days", "1 day"),
        (0.5, "days", "0.5 days"),
        (8 * 1024 * 1024, "bytes", "8 MiB"),
        (1536, "bytes", "1.5 KiB"),
        (1023, "bytes", "1023 bytes"),
        (0, "MiB", "0 MiB"),
        (2048, "MiB", "2 GiB"),
        (0.1, "a part of the whole", "10 %"),
        (1_000_000, "things", "1,000,000"),
        (8080, "port", "8080"),
    ],
)
def test_a_quantity(number: float, unit: str, written: str) -> None:
    assert quantity(number, unit) == written
