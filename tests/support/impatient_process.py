"""`ogel …` whose requests wait for the database for a second only; started with `-m`."""

from __future__ import annotations

from ogel.cli import main
from ogel.runtime.database import patience

MODULE = "tests.support.impatient_process"
SECONDS = 1.0


if __name__ == "__main__":
    patience.REQUEST_SECONDS = SECONDS
    main()
