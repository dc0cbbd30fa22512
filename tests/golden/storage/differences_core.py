"""Lists, moves and copies: what is answered otherwise, and why; what was done between lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.golden.expectation import Difference
from tests.golden.storage.steps import Beginnings, Steps

DIFFERENCES: Mapping[str, Sequence[Difference]] = {}
STEPS: Steps = {}
BEGINNINGS: Beginnings = {}
