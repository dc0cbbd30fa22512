"""`ogel …` where there is no name server: only /etc/hosts is asked. Needs root; started with `-m`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ogel.cli import main
from tests.support.railnet import instead_of

MODULE = "tests.support.nameless_process"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        ours = Path(directory) / "nsswitch.conf"
        ours.write_text("hosts: files\n")
        instead_of({"/etc/nsswitch.conf": str(ours)})
    main()
